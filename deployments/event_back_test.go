package deployments_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestARollbackWithoutAVersionToGoBackToSaysNull(t *testing.T) {
	for _, c := range []struct {
		to   deployments.Back
		want string // "": the key is absent
	}{
		{deployments.BackTo("1.0.0"), `"to":"1.0.0"`},
		{deployments.BackTo(""), `"to":null`},
		{deployments.Back{}, ""},
	} {
		text, err := json.Marshal(deployments.EventData{To: c.to})
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(text), `"to"`); has != (c.want != "") || !strings.Contains(string(text), c.want) {
			t.Errorf("%+v: %s, want %s", c.to, text, c.want)
		}
		var back deployments.EventData
		if err := json.Unmarshal(text, &back); err != nil || back.To != c.to {
			t.Errorf("%s is read as %+v, %v", text, back.To, err)
		}
	}
}

// What ends after a rollback says when the failed rules were healthy again, and nothing where they were not seen so.
func TestTheEndOfAWayBackSaysWhenTheRulesWereHealthyAgain(t *testing.T) {
	for name, healthy := range map[string]bool{"healthy again": true, "never again": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.verdict = func(rule string, share int) analysis.Judgement {
					if !healthy && w.last().State.Rollout.Failure != nil {
						return analysis.Judgement{Verdict: analysis.NoData}
					}
					return failsAt(2500)(rule, share)
				}
				w.release("1.1.0")
				w.run("one", time.Hour)
				for _, e := range w.events() {
					if want := w.last().State.Rollout.Failure.Restored; e.Name == "rollout.restored" && (!e.Data.Restored.Equal(want) || want.IsZero() == healthy) {
						t.Errorf("restored at %s, want %s", e.Data.Restored, want)
					}
				}
				if last := w.last().State.Rollout; last.Outcome != steps.Restored {
					t.Errorf("the outcome is %q", last.Outcome)
				}
			})
		})
	}
}
