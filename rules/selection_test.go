package rules_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/rules"
)

func TestSelectionsSayWhatATemplateReadsAndWhere(t *testing.T) {
	const text = `sum(increase(a{x="{{service}}", version =~ "{{version}}.*"}[{{window}}])) / (b{y!="1"} offset 5m) + max_over_time((rate(c{z="{{vars.k}}"}[30s]))[1h:1m])`
	got := rules.MustCompile(text).Selections()
	want := []rules.Selection{
		{Start: 13, End: 59, Metric: "a", Func: "increase", Ranged: true, Matchers: []rules.Matcher{
			{At: 15, Label: "x", Op: "=", Value: "{{service}}"}, {At: 32, Label: "version", Op: "=~", Value: "{{version}}.*"}}},
		{Start: 77, End: 96, Metric: "b", Matchers: []rules.Matcher{{At: 79, Label: "y", Op: "!=", Value: "1"}}},
		{Start: 120, End: 137, Metric: "c", Func: "rate", Ranged: true, Matchers: []rules.Matcher{{At: 122, Label: "z", Op: "=", Value: "{{vars.k}}"}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(rules.Selection{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, want := range []time.Duration{2 * time.Minute, 0, 30 * time.Second} {
		if got[i].Range(2*time.Minute) != want || got[i].OfWindow() != (i == 0) {
			t.Errorf("selection %d has a range of %s, of the window: %t", i, got[i].Range(2*time.Minute), got[i].OfWindow())
		}
	}
}

func TestNothingIsSelectedWithoutAQuery(t *testing.T) {
	if got := (rules.Template{}).Selections(); got != nil {
		t.Errorf("selections %v", got)
	}
	if got := rules.MustCompile(`count({__name__=~"a|b", x="1"})`).Selections(); len(got) != 1 || got[0].Metric != "" || len(got[0].Matchers) != 1 {
		t.Errorf("selections %+v", got)
	}
}
