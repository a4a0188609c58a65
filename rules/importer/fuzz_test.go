package importer_test

import (
	"regexp"
	"testing"

	"github.com/serin-cd/serin/rules/importer"
)

// FuzzImport holds every file to this: each result has its line inside the file, a refused one its reason, and what was converted
// is a policy's rules, with the very expressions.
// lineBreaks are YAML's.
var lineBreaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

func FuzzImport(f *testing.F) {
	for _, text := range []string{
		one("alert: A", "expr: a > 1", "for: 5m", "labels: {severity: page}", "annotations: {summary: '{{ $value }}'}"),
		one("alert: A", "expr: |", "  sum(a) by (b)", "    / c > 1"), one("record: a:b", "expr: sum(a)"),
		"data:\n  a.yaml: |\n    groups:\n    - rules:\n      - alert: A\n        expr: up == 0\n",
		"spec:\n  groups:\n  - interval: 1m\n    rules:\n    - &r {alert: A, expr: 'a{version=\"canary\"} > 1'}\n    - <<: *r\n",
		"{{ if }}\n- alert: A\n  expr: {{ x }}\n", "ALERT A\n  IF b > 1\n", "---\n---\na: [\n", "- alert: A\n  expr: \"a\\n\\u2028 > 1\\x85\"\n", "rules:\r- {expr}",
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, rewrite bool) {
		report := read(text, importer.Options{RewriteVersion: rewrite})
		lines := len(lineBreaks.FindAllString(text, -1)) + 1
		if len(report) == 0 {
			t.Fatal("nothing is reported")
		}
		for _, r := range report {
			if r.Line < 1 || r.Line > lines {
				t.Errorf("line %d of %d: %+v", r.Line, lines, r)
			}
			if r.Status == importer.Refused && (r.Reason == "" || r.Cure == "") {
				t.Errorf("refused without reason or cure: %+v", r)
			}
		}
		converted := report.Count(importer.Converted)
		if converted == 0 {
			return
		}
		if got := len(set(t, report)); got != converted {
			t.Errorf("%d rules in the policy, %d were converted", got, converted)
		}
	})
}
