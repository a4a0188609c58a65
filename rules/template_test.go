package rules_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/rules"
)

func TestProblemsHaveTheOffsetInTheTextAsWritten(t *testing.T) {
	for text, want := range map[string]int{
		`x{a="{{environment}}",b="{{serivce}}"}`:                25,
		`x{a="{{environment}}"} + rate(y)`:                      30,
		`x{a="{{ stable_version }}",b="{{version}}"} + foo bar`: 50,
		`rate(x{a="{{version}}"}[{{window}}]) +`:                38,
		`x{a="{{version}}"}[{{window}}]`:                        0,
		`1 + x{a="{{version}}"} @ start()`:                      4,
		`sum by ({{step}}) (x{a="{{version}}"})`:                8,
		`x{a="{{version}}"} offset {{step}}`:                    26,
		`x{a="{{version}}"} * {{step}}{{step}}`:                 21,
		`{{version`:                                             0,
		`x{a="{{version}}"} * 1e-{{step}}`:                      24,
		``:                                                      0,
	} {
		t.Run(text, func(t *testing.T) {
			_, err := rules.Compile(text)
			var problems rules.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || problems[0].Offset != want {
				t.Errorf("got %v, want a problem at %d", err, want)
			}
		})
	}
}

func TestReachIsHowFarBackAQueryLooks(t *testing.T) {
	const m = time.Minute
	for text, want := range map[string]struct{ two, none time.Duration }{
		`x`:                                 {0, 0},
		`x offset 5m`:                       {5 * m, 5 * m},
		`x offset -5m`:                      {0, 0},
		`rate(x[{{window}}])`:               {2 * m, 0},
		`rate(x[5m])`:                       {5 * m, 5 * m},
		`rate(x[5m] offset {{window}})`:     {7 * m, 5 * m},
		`rate(x[{{window}}]) / rate(x[5m])`: {5 * m, 5 * m},
		`rate(x[{{window}}]) / rate(x[1m])`: {2 * m, 1 * m},
		`max_over_time(rate(x[{{window}}])[{{window}}:30s])`:               {4 * m, 0},
		`max_over_time(sum(rate(x[1m] offset 1m))[{{window}}:] offset 3m)`: {7 * m, 5 * m},
		`x * {{window}}`: {0, 0},
	} {
		t.Run(text, func(t *testing.T) {
			template := rules.MustCompile(text)
			if got := template.Reach(2 * m); got != want.two {
				t.Errorf("with a window of 2m: got %s, want %s", got, want.two)
			}
			if got := template.MinReach(); got != want.none || template.Fixed() != (want.none > 0) {
				t.Errorf("at least: got %s, fixed %v, want %s", got, template.Fixed(), want.none)
			}
		})
	}
}

func TestTemplatesAreKnownByTheirText(t *testing.T) {
	text := `x{a="{{ version }}",b=~"{{vars.route}}"}`
	template := rules.MustCompile(text)
	if template.Text() != text || !cmp.Equal(template, rules.MustCompile(text)) || cmp.Equal(template, rules.Template{}) {
		t.Errorf("got %q", template.Text())
	}
	for name, want := range map[string]bool{"version": true, "vars.route": true, "vars.a": false, "window": false, "": false} {
		if got := template.Uses(name); got != want {
			t.Errorf("uses %q: %v", name, got)
		}
	}
}

func TestTheZeroTemplateRendersNothing(t *testing.T) {
	if text, err := (rules.Template{}).Render(rules.Vars{}); text != "" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestASetFindsItsRulesAndListsTheirTolerances(t *testing.T) {
	set, findings := parse("p.yaml", []byte(`
rules:
  - {name: a, bad: "errors{v='{{version}}'}", total: "requests{v='{{version}}'}", max: 5%, for: 3m, on_fail: hold}
  - {name: b, query: "up{v='{{version}}'}", min: 1, fail_after: 1h, alert_after: 2m}
`))
	if len(findings) != 0 {
		t.Fatal(findings)
	}
	want := []rules.Tolerance{
		{Rule: "a", For: 3 * time.Minute, OnFail: rules.Hold, AlertAfter: 10 * time.Minute, OutageAlertAfter: 5 * time.Minute},
		{Rule: "b", For: time.Minute, OnFail: rules.Rollback, AlertAfter: 2 * time.Minute, OutageAlertAfter: 2 * time.Minute, FailAfter: time.Hour},
	}
	if diff := cmp.Diff(want, set.Tolerances()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	one := 1.0
	b, ok := set.Find("b")
	wantRule := rules.Rule{
		Name: "b", Query: rules.MustCompile(`up{v='{{version}}'}`), Min: &one, Schedule: rules.Interval(30 * time.Second),
		Window: 2 * time.Minute, OnNoData: rules.Hold, OnDataLost: rules.Rollback, Tolerance: want[1],
	}
	if diff := cmp.Diff(wantRule, b, cmpopts.IgnoreFields(rules.Rule{}, "At")); !ok || diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if a, _ := set.Find("a"); !a.Ratio() || b.Ratio() {
		t.Error("a is the ratio")
	}
	if _, ok := set.Find("c"); ok {
		t.Error("found a rule that is not there")
	}
}
