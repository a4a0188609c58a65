package importer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/importer"
)

// read imports one file.
func read(text string, o ...importer.Options) importer.Report {
	return importer.Prometheus([]importer.File{{Name: "f.yaml", Text: []byte(text)}}, append(o, importer.Options{})[0])
}

// set parses what was converted, as a policy does, and fails the test on an error.
func set(t *testing.T, report importer.Report) rules.Set {
	t.Helper()
	f, docs := yamldoc.Parse("policy.yaml", report.Policy(importer.Head{}))
	var out rules.Set
	for _, doc := range docs {
		m := doc.Map("service", "traffic", "rules", "defaults")
		out = append(out, rules.ParseSet(m.Get("rules"), m.Get("defaults"), nil)...)
	}
	if err := f.Findings.Err(); err != nil {
		t.Fatalf("what was converted is no policy: %v\n%s", err, report.Policy(importer.Head{}))
	}
	return out
}

// one is a rule of a group, from its lines.
func one(lines ...string) string {
	return "groups:\n- name: g\n  rules:\n  - " + strings.Join(lines, "\n    ") + "\n"
}

func TestARefusedRuleHasLineReasonAndCure(t *testing.T) {
	for name, c := range map[string]struct{ text, reason, cure string }{
		"a recording rule":           {one("record: a:b", "expr: sum(a)"), "recording rule: it stays in Prometheus", "alerts that use it are noted"},
		"words and percent":          {one("alert: A", "expr: error rate > 5%"), "not valid PromQL: unexpected identifier", "without a percent sign"},
		"an open bracket":            {one("alert: A", "expr: sum(rate(a[5m]) > 1"), "not valid PromQL: unclosed left parenthesis", "close the brackets"},
		"severity at the rule":       {one("alert: A", "expr: a > 1", "severity: page"), "`severity` stands at the rule itself", "labels:"},
		"action at the rule":         {one("alert: A", "expr: a > 1", "action: promote"), "`action` stands at the rule itself", "annotations:"},
		"an unknown key":             {one("alert: A", "exprs: a > 1", "expr: a"), `unknown key "exprs"`, `did you mean "expr"?`},
		"a key twice":                {one("alert: A", "expr: a > 1", "expr: b > 1"), `key "expr" is written twice`, "keep one"},
		"both":                       {one("alert: A", "record: a", "expr: a > 1"), "both `alert` and `record`", "two rules"},
		"neither":                    {one("expr: a > 1", "for: 1m"), "neither `alert` nor `record`", "add `alert: NAME`"},
		"no expression":              {one("alert: A", "for: 1m"), "has no `expr`", "PromQL"},
		"no name":                    {one("alert: ''", "expr: a > 1"), "has no name", "alert: NAME"},
		"no duration":                {one("alert: A", "expr: a > 1", "for: 5 minutes"), "`for` is \"5 minutes\"", "5m"},
		"keep_firing_for":            {one("alert: A", "expr: a > 1", "keep_firing_for: [1]"), "`keep_firing_for`", "5m"},
		"a watchdog":                 {one("alert: A", "expr: vector(1)"), "looks at no series", "dead man's switch"},
		"a number":                   {one("alert: A", "expr: 1"), "yields one number", "compare"},
		"a text":                     {one("alert: A", `expr: '"a"'`), "the query yields text", "number"},
		"promote in annotations":     {one("alert: A", "expr: a > 1", "annotations: {action: promote}"), "it fires on success (action: promote)", "goes on by itself"},
		"promote in labels":          {one("alert: A", "expr: a > 1", "labels: {action: Auto-Promote}"), "it fires on success", "goes on by itself"},
		"promotion as prose":         {one("alert: A", "expr: a > 1", "annotations: {action: Promote the canary to 50%}"), "it fires on success", "goes on by itself"},
		"auto_promote":               {one("alert: A", "expr: a > 1", "labels: {auto_promote: 'true'}"), "it fires on success", "goes on by itself"},
		"canary_state":               {one("alert: A", "expr: canary_state == 3"), "canary_state is the state of a rollout", "about the service"},
		"flagger":                    {one("alert: A", "expr: flagger_canary_status > 1 and on () up"), "flagger_canary_status is the state", "about the service"},
		"argo":                       {one("alert: A", `expr: rollout_info{phase="Degraded"} == 1`), "rollout_info is the state", "about the service"},
		"helm in the expression":     {one("alert: A", "expr: up{job=\"{{ .Values.job }}\"} == 0"), "`expr` is a template of Helm", "render it"},
		"another placeholder":        {one("alert: A", "expr: up{job=\"{{ $labels.job }}\"} == 0"), "`expr` has {{ $labels.job }} in it", "{{version}}"},
		"a misspelt variable":        {one("alert: A", "expr: up{job=\"{{ verison }}\"} == 0"), "`expr` has {{ verison }} in it", "{{version}}"},
		"helm escapes":               {one("alert: A", "expr: a > 1", "annotations:", "  summary: '{{ \"{{\" }} $value {{ \"}}\" }}'"), `annotation "summary" is a template of Helm`, "render it"},
		"helm escapes, backtick":     {one("alert: A", "expr: a > 1", "annotations:", "  summary: 'x {{`{{`}} $value {{`}}`}}'"), `annotation "summary" is a template of Helm`, "render it"},
		"ansible":                    {one("alert: A", "expr: a > 1", "annotations:", "  summary: '{% raw %}{{ $value }}{% endraw %}'"), "is a template of Ansible", "render it"},
		"a broken template":          {one("alert: A", "expr: a > 1", "annotations:", "  summary: '{{ $value'"), "no template that Prometheus could read", "braces"},
		"an unknown function":        {one("alert: A", "expr: a > 1", "annotations:", "  summary: '{{ humanise $value }}'"), "no template that Prometheus could read", "functions"},
		"the value in a label":       {one("alert: A", "expr: a > 1", "for: 5m", "labels:", "  level: '{{ if gt $value 90.0 }}high{{ end }}'"), `label "level" is made of the value`, "annotation"},
		"labels that are a list":     {one("alert: A", "expr: a > 1", "labels: [a]"), "labels are no mapping", "labels: {name: text}"},
		"a label that is a list":     {one("alert: A", "expr: a > 1", "labels: {a: [b]}"), "labels are no mapping of names to texts (a)", "labels: {name: text}"},
		"the end of time":            {one("alert: A", "expr: a @ end() > 1"), "fixed in time by @", "leave out the @"},
		"LogQL":                      {one("alert: A", "expr: 'sum(rate({app=\"x\"} |= \"error\" [5m])) > 1'"), "not valid PromQL", "LogQL"},
		"a variable of a shell":      {one("alert: A", "expr: a > ${LIMIT}"), "not valid PromQL", "render it"},
		"a rule of Grafana":          {"groups:\n- rules:\n  - uid: x\n    title: y\n    condition: C\n    expr: a\n", "one that Grafana manages", "alert:"},
		"no rule":                    {"groups:\n- rules:\n  - alert\n  - alert: A\n    expr: vector(1)\n", "a rule is a mapping", "leave it out"},
		"an interval":                {"groups:\n- interval: soon\n  rules:\n  - alert: A\n    expr: a > 1\n", "interval is \"soon\"", "30s"},
		"Prometheus 1":               {"ALERT Down\n  IF up == 0\n  FOR 5m\n", "as in Prometheus 1", "promtool update rules"},
		"helm, not YAML":             {"{{- if x }}\n- alert: A\n{{ end }}\n", "not YAML at line 1", "helm template"},
		"ansible, not YAML":          {"groups:\n{% for x in y %}\n- alert: A\n  expr: b\n", "it looks like a template of Ansible", "render it"},
		"broken YAML without a rule": {"a: [\n", "not YAML at line", "indentation"},
		"nothing":                    {"", "there are no rules in it", "groups:"},
	} {
		t.Run(name, func(t *testing.T) {
			report := read(c.text)
			if len(report) == 0 {
				t.Fatal("nothing is reported")
			}
			got := report[0]
			if got.Status != importer.Refused || got.Line < 1 || !strings.Contains(got.Reason, c.reason) || !strings.Contains(got.Cure, c.cure) {
				t.Errorf("%s:%d %s: %s; %s", got.File, got.Line, got.Status, got.Reason, got.Cure)
			}
			if policy := report.Policy(importer.Head{}); len(policy) > 0 {
				t.Errorf("there is a policy:\n%s", policy)
			}
		})
	}
}

func TestRulesAreFoundInEveryWrapperWithTheirLines(t *testing.T) {
	const group = "name: g\nrules:\n- alert: A\n  expr: a > 1\n"
	nested := func(by string) string {
		return by + strings.ReplaceAll(strings.TrimSuffix(group, "\n"), "\n", "\n"+by) + "\n"
	}
	item := func(by string) string { return strings.Replace(nested(by+"  "), by+"  ", by+"- ", 1) }
	for name, c := range map[string]struct {
		text  string
		lines []int
	}{
		"a rule file":              {"groups:\n" + item(""), []int{4}},
		"several groups":           {"groups:\n" + item("") + item(""), []int{4, 8}},
		"several documents":        {"# one\n---\ngroups:\n" + item("") + "---\ngroups:\n" + item("") + "...\n", []int{6, 12}},
		"a PrometheusRule":         {"kind: PrometheusRule\nspec:\n  groups:\n" + item("  "), []int{6}},
		"a List":                   {"kind: List\nitems:\n- kind: PrometheusRule\n  spec:\n    groups:\n" + item("    "), []int{8}},
		"a list of them":           {"- spec:\n    groups:\n" + item("    ") + "- spec:\n    groups:\n" + item("    "), []int{5, 11}},
		"a ConfigMap":              {"kind: ConfigMap\ndata:\n  a.yaml: |\n    groups:\n" + item("    ") + "  b.rules: |-\n\n    groups:\n" + item("    "), []int{7, 14}},
		"a ConfigMap, quoted":      {"kind: ConfigMap\ndata:\n  a.yml: \"groups:\\n- rules:\\n  - alert: A\\n    expr: a > 1\\n\"\n", []int{3}},
		"documents in a ConfigMap": {"data:\n  a.yaml: |\n    groups: []\n    ---\n    groups:\n" + item("    "), []int{8}},
		"values of a chart":        {"serverFiles:\n  alerting_rules.yml:\n    groups:\n" + item("    "), []int{6}},
		"a group alone":            {group, []int{3}},
		"a list of groups":         {item(""), []int{3}},
		"a list of rules":          {"- alert: A\n  expr: a > 1\n- alert: B\n  expr: b > 1\n", []int{1, 3}},
		"JSON":                     {`{"groups": [{"rules": [{"alert": "A", "expr": "a > 1"}]}]}`, []int{1}},
		"expr first":               {"- expr: a > 1\n  alert: A\n", []int{2}},
		"aliases":                  {"x: &x\n  alert: A\n  expr: a > 1\ngroups:\n- rules:\n  - *x\n  - <<: *x\n    alert: B\n", []int{2, 2, 8}},
		"a byte order mark":        {"\ufeffgroups:\n" + item(""), []int{4}},
		"Windows' line ends":       {strings.ReplaceAll("groups:\n"+item(""), "\n", "\r\n"), []int{4}},
		"behind a broken one":      {"a: [\n---\ngroups:\n" + item(""), []int{1, 6}},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []int
			converted := 0
			report := read(c.text)
			for _, r := range report {
				lines = append(lines, r.Line)
				if r.Status == importer.Converted {
					converted++
				}
			}
			if diff := cmp.Diff(c.lines, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s%+v", diff, report)
			}
			if got := len(set(t, report)); got != converted || got == 0 {
				t.Errorf("%d rules in the policy, %d were converted", got, converted)
			}
		})
	}
}

func TestAConvertedAlertKeepsWhatItSays(t *testing.T) {
	report := read(`groups:
- name: g
  interval: 20s
  limit: 3
  labels: {team: shop, tier: "1"}
  rules:
  - alert: "Errors: many"
    expr: |2

        sum(rate(errors[5m]))   # a comment
          > 5
    for: 1h30m
    keep_firing_for: 90s
    labels: {severity: page, team: cart, empty: "", none: }
    annotations: {summary: "{{ $value | humanize }} \"x\"\n  y", action: pause}
`)
	got := set(t, report)
	if len(got) != 1 || got[0].Alert == nil {
		t.Fatalf("%d rules: %+v", len(got), report)
	}
	r := got[0]
	if diff := cmp.Diff("\n  sum(rate(errors[5m]))   # a comment\n    > 5\n", r.Alert.Expr); diff != "" {
		t.Errorf("expr (-want +got):\n%s", diff)
	}
	if r.Name != "Errors-many" || r.Alert.Name != "Errors: many" || r.For != 90*time.Minute || r.KeepFiring != 90*time.Second || r.Schedule.Every() != 20*time.Second {
		t.Errorf("name %q, alert %q, for %s, keeps %s, every %s", r.Name, r.Alert.Name, r.For, r.KeepFiring, r.Schedule)
	}
	if diff := cmp.Diff(map[string]string{"severity": "page", "team": "cart", "tier": "1"}, r.Alert.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"summary": "{{ $value | humanize }} \"x\"\n  y", "action": "pause"}, r.Alert.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if r.OnFail != rules.Hold || r.Severity != rules.Critical {
		t.Errorf("on_fail %s, severity %s", r.OnFail, r.Severity)
	}
	if diff := cmp.Diff([]string{"the group's limit is not kept: Prometheus fires nothing beyond it"}, report[0].Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestEveryRuleGetsANameOfItsOwn(t *testing.T) {
	var b strings.Builder
	for _, name := range []string{"A", "A", "A-2", "A", "ä", "ö", strings.Repeat("x", 70), strings.Repeat("x", 71)} {
		fmt.Fprintf(&b, "- alert: %s\n  expr: a > 1\n", name)
	}
	var names []string
	for _, r := range set(t, read(b.String())) {
		names = append(names, r.Name)
	}
	x := strings.Repeat("x", 70)
	if diff := cmp.Diff([]string{"A", "A-2", "A-2-2", "A-3", "-", "--2", x[:63], x[:61] + "-2"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestAHardCodedVersionIsNotedOrRewritten(t *testing.T) {
	for expr, want := range map[string]string{
		`a{version="canary"} > 1`:                              `a{version="{{version}}"} > 1`,
		`a{version='canary'} > 2 * a{version="stable"}`:        `a{version='{{version}}'} > 2 * a{version="{{stable_version}}"}`,
		`a{version=~"canary"} / a{version=~"canary"} > 1`:      `a{version=~"{{version}}"} / a{version=~"{{version}}"} > 1`,
		`a{version="v1.2.3"} > 1`:                              `a{version="{{version}}"} > 1`,
		`a{version="v1"} > a{version="v2"}`:                    `a{version="v1"} > a{version="v2"}`,
		`a{version=~"v1.*"} > 1`:                               `a{version=~"v1.*"} > 1`,
		`a{version!="canary"} > 1`:                             `a{version!="canary"} > 1`,
		`a{x="version=\"canary\"",version="canary"} # "canary`: `a{x="version=\"canary\"",version="{{version}}"} # "canary`,
	} {
		got := set(t, read(fmt.Sprintf("- alert: A\n  expr: %q\n", expr), importer.Options{RewriteVersion: true}))
		if len(got) != 1 || got[0].Alert.Expr != want {
			t.Errorf("%s: %+v, want %s", expr, got, want)
		}
	}
	if notes := read(`- {alert: A, expr: 'a{version="canary",track="canary"} > 1'}`)[0].Notes; len(notes) != 2 || !strings.Contains(notes[0], `version="canary" judges every release`) {
		t.Errorf("notes %q", notes)
	}
}

func TestMoreRulesThanAPolicyMayHaveBecomeSeveral(t *testing.T) {
	var b strings.Builder
	for i := range rules.MaxRules + 1 {
		fmt.Fprintf(&b, "- {alert: A%d, expr: a > %d}\n", i, i)
	}
	report := read(b.String())
	if n := len(set(t, report)); n != rules.MaxRules+1 {
		t.Errorf("%d rules", n)
	}
	policy := string(report.Policy(importer.Head{Service: "shop", VersionFlag: "shop-version"}))
	for _, want := range []string{"service: shop\n", "\n---\nservice: shop-2 #", "traffic: {version_flag: shop-version}\n"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy has no %q", want)
		}
	}
}

func TestAliasesDoNotMakeAShortFileLong(t *testing.T) {
	text := "a0: &a0 [{alert: A, expr: a > 1}]\n"
	for i := range 12 {
		text += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	long := strings.Repeat("c", 20_000)
	for _, text := range []string{
		text + "loop: &loop [*loop, *loop]\n",
		"- &a {alert: A, expr: 'a{b=\"" + long + "\"} > 1'}\n" + strings.Repeat("- *a\n", 1000),
	} {
		report := read(text)
		if last := report[len(report)-1]; last.Kind != importer.Whole || last.Status != importer.Refused {
			t.Errorf("%d results, the last one %+v", len(report), last)
		}
	}
}
