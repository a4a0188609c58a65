package analysis

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/rules"
)

func TestTheOtherUsersOfAFeatureFlagHaveTheOtherVariant(t *testing.T) {
	r := request(rules.Rule{Name: "latency", Max: new(1.0), Query: rules.MustCompile(`max(l{version="{{version}}",variant="{{variant}}"})`)})
	r.Vars.Variant, r.Others = "on", rules.Vars{Version: "v2", Variant: "off"}
	r.Seen = true
	on, off := `max(l{version="v2",variant="on"})`, `max(l{version="v2",variant="off"})`
	q := &scripted{answers: map[string]Result{off: vector(0.4)}}
	j := Analyst{Querier: q}.Measure(t.Context(), []Request{r}, noon)[0]
	if diff := cmp.Diff([][]string{{on}, {off}}, q.calls); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if !j.Lost {
		t.Errorf("%s: %s, want lost: its series are gone while the other variant's are there", j.Verdict, j.Reason)
	}
}
