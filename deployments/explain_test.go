package deployments_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestARolloutIsExplainedByWhatItsDecisionsRestOn(t *testing.T) {
	var entries []deployments.Entry
	synctest.Test(t, func(t *testing.T) {
		entries = slices.DeleteFunc(story(t).journal.Entries(), func(e deployments.Entry) bool { return e.State.Rollout.Version != "1.1.0" })
	})
	x := deployments.Explain(entries)
	if x.Outcome != steps.Restored || x.Cause != steps.ByRules || len(x.Moments) != len(entries) {
		t.Fatalf("%s %s in %d moments of %d entries", x.Outcome, x.Cause, len(x.Moments), len(entries))
	}
	for what, is := range map[string]func(deployments.Moment) bool{
		"the advance with its readings": func(m deployments.Moment) bool {
			return m.Note == "requesting 25 %" && m.Decides && m.Step == 1 && m.Percent == 5 && m.Evidence[0].Verdict == analysis.Healthy
		},
		"the verdict that turned it back": func(m deployments.Moment) bool {
			return m.Phase == steps.Reverting && m.Decides && m.Step == 2 && m.Evidence[0].Verdict == analysis.Unhealthy && m.Evidence[0].Reason == "18 % > 5 %"
		},
		"a failing rule": func(m deployments.Moment) bool {
			return m.Note == "errors fails" && !m.Decides && len(m.Evidence) == 1
		},
		"a confirmation": func(m deployments.Moment) bool {
			return m.Note == "5 % confirmed" && !m.Decides && len(m.Evidence) == 0
		},
	} {
		if !slices.ContainsFunc(x.Moments, is) {
			t.Errorf("%s is missing in %+v", what, x.Moments)
		}
	}
	if len(x.Actions) != 1 || x.Actions[0].Confirmed.IsZero() {
		t.Errorf("actions %+v", x.Actions)
	}
}

func TestTheFailureOfACriticalRulePages(t *testing.T) {
	for severity, want := range map[string]deployments.Severity{"critical": deployments.Page, "warning": deployments.Warning} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.policy = strings.Replace(w.policy, "    max: 5%", "    max: 5%\n    severity: "+severity, 1)
			w.verdict = failsAt(2500)
			w.release("1.1.0")
			w.run("one", time.Hour)
			events := w.events()
			i := slices.IndexFunc(events, func(e deployments.Event) bool { return e.Name == "rollout.failed" })
			if i < 0 || events[i].Severity != want {
				t.Errorf("%s: rollout.failed at %d of %v", severity, i, names(events))
			}
		})
	}
}
