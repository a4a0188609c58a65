package rules_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestPoliciesReadAsTheirGoldenFilesSay(t *testing.T) {
	for _, kind := range []string{"valid", "invalid"} {
		files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in testdata/%s: %v", kind, err)
		}
		for _, file := range files {
			t.Run(kind+"/"+filepath.Base(file), func(t *testing.T) { golden(t, file, kind == "valid") })
		}
	}
}

func golden(t *testing.T, file string, valid bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, findings := parse(filepath.Base(file), data)
	if err := findings.Err(); (err == nil) != valid {
		t.Errorf("error: %v", err)
	}
	var b strings.Builder
	for _, f := range findings.Sorted() {
		fmt.Fprintln(&b, f)
	}
	if valid {
		for _, r := range set {
			describe(&b, r)
		}
	}
	name := strings.TrimSuffix(file, ".yaml") + ".golden"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got), see -update:\n%s", name, diff)
	}
}

// parse reads the rules of each document.
func parse(name string, data []byte) (rules.Set, diag.Findings) {
	file, docs := yamldoc.Parse(name, data)
	var set rules.Set
	for _, doc := range docs {
		m := doc.Map("rules", "defaults", "vars")
		vars := map[string]string{}
		for _, key := range m.Get("vars").Keys() {
			vars[key], _ = m.Get("vars").Map(m.Get("vars").Keys()...).Get(key).String()
		}
		set = append(set, rules.ParseSet(m.Get("rules"), m.Get("defaults"), vars)...)
	}
	return set, file.Findings
}

func describe(b *strings.Builder, r rules.Rule) {
	fmt.Fprintf(b, "\n%s at %d:%d\n", r.Name, r.At.Line, r.At.Column)
	for _, q := range []struct {
		key string
		t   rules.Template
	}{{"bad", r.Bad}, {"total", r.Total}, {"query", r.Query}} {
		if text := q.t.Text(); text != "" {
			fmt.Fprintf(b, "  %s: %s\n", q.key, strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	if r.Ratio() {
		fmt.Fprintf(b, "  it %s\n", r.Counts)
	}
	if a := r.Alert; a != nil {
		fmt.Fprintf(b, "  alert %q fires %s %v data %q per series %t keeps firing %s on_error %q\n  labels %v annotations %v\n",
			a.Name, a.Fires, a.Threshold, a.Data.Text(), r.PerSeries, r.KeepFiring, r.OnError, a.Labels, a.Annotations)
	}
	number := func(n *float64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprint(*n)
	}
	fmt.Fprintf(b, "  min %s max %s critical_max %s critical_min %v min_samples %v\n",
		number(r.Min), number(r.Max), number(r.CriticalMax), r.CriticalMin, r.MinSamples)
	fmt.Fprintf(b, "  warmup %s steps %v\n", r.Warmup, r.Steps)
	fmt.Fprintf(b, "  severity %q\n", r.Severity)
	fmt.Fprintf(b, "  failures in a row %d in a step %d\n", r.InARow, r.InAStep)
	fmt.Fprintf(b, "  interval %s window %s for %s on_no_data %s on_data_lost %s on_fail %s\n",
		r.Schedule, r.Window, r.For, r.OnNoData, r.OnDataLost, r.OnFail)
	fmt.Fprintf(b, "  alert_after %s outage %s fail_after %s\n", r.AlertAfter, r.OutageAlertAfter, r.FailAfter)
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, findings := parse("fuzz.yaml", data)
		for _, finding := range findings {
			if finding.Line < 1 || finding.Column < 1 || finding.Message == "" {
				t.Errorf("finding without a place or message: %+v", finding)
			}
		}
		if findings.Err() != nil || strings.Contains(string(data), "vars") {
			return
		}
		for _, r := range set {
			for _, template := range []rules.Template{r.Bad, r.Total, r.Query} {
				// A release may lack a value, or hold one that backticks cannot; this one does not.
				if _, err := template.Render(values("a")); err != nil {
					t.Errorf("%s: %q: %v", r.Name, template.Text(), err)
				}
			}
			if next := r.Schedule.Next(time.Unix(0, 0), 0); !next.After(time.Unix(0, 0)) {
				t.Errorf("%s: due at %s", r.Schedule, next)
			}
		}
	})
}

// values has text for every variable.
func values(text string) rules.Vars {
	return rules.Vars{
		Service: text, Environment: text, Version: text, StableVersion: text, Variant: text, Flag: text,
		Step: 1, Weight: 12.5, Window: 90 * time.Second, Extra: map[string]string{"x": text},
	}
}

func TestTheReadmesRulesAreValid(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```")
	for i := 1; i < len(blocks); i += 2 {
		text, ok := strings.CutPrefix(blocks[i], "yaml\n")
		// Commands are held against the binary, and tests of policies are run, where those are.
		if strings.HasPrefix(blocks[i], "sh\n") || strings.Contains(text, "\ntests:") || !strings.Contains(text, "rules:") && ok {
			continue
		}
		if !ok {
			t.Errorf("a block that no test reads: %s", blocks[i])
			continue
		}
		_, rest, _ := strings.Cut(text, "rules:") // the rest of a policy is others' business
		set, findings := parse("README.md", []byte("rules:"+rest))
		if len(set) == 0 || len(findings) != 0 {
			t.Errorf("%s\n%s", findings, text)
		}
	}
}
