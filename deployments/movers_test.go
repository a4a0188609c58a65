package deployments_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

func (w *world) flag(key, text string) {
	w.t.Helper()
	f, err := flags.Parse(key, []byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.flags.Update(w.t.Context(), "production."+key, f, 0); err != nil {
		w.t.Fatal(err)
	}
}

func TestObserveAdvancesWhenTheMeasuredShareIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "version_flag: checkout-version", "observe: true", 1)
		begin := time.Now()
		w.share = func() (float64, bool) { // somebody moves 5 % at once, 25 % after ten minutes, all after twenty
			switch after := time.Since(begin); {
			case after < 10*time.Minute:
				return 0.06, true
			case after < 20*time.Minute:
				return 0.24, true
			}
			return 0.99, true
		}
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.replay()
		r := w.last().State.Rollout
		if r.Outcome != steps.Promoted || time.Since(begin) < 20*time.Minute {
			t.Errorf("%s after %v: %s", r.Phase, time.Since(begin), w.last().Note)
		}
		if !slices.Contains(names(w.events()), "traffic.confirmed") {
			t.Error("no share was confirmed")
		}
	})
}

func TestAShareThatDoesNotFollowTheFlagHoldsAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "{version_flag: checkout-version}", "{version_flag: checkout-version, tolerance: 5%}", 1)
		w.share = func() (float64, bool) { return 0.5, true }
		w.release("1.1.0")
		w.run("one", time.Hour)
		e := w.last()
		if r := e.State.Rollout; r.Hold == nil || !r.Hold.Told || r.Want != 500 {
			t.Errorf("%s, hold %v: %s", r.Phase, r.Hold, e.Note)
		}
	})
}

func TestAFeatureIsTurnedOffInsteadOfTakingTheReleaseBack(t *testing.T) {
	for name, c := range map[string]struct {
		helps   bool
		outcome string
		def     string
	}{
		"it helps":         {true, "the release keeps its share", "1.0.0"},
		"it does not help": {false, "flag off did not help", "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.policy += "on_failure: {do: [{flag: new-checkout}], else: [rollback]}\n"
				w.flag("new-checkout", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","targeting":{}}`)
				w.verdict = func(version string, share int) analysis.Judgement {
					f, _, _ := w.flags.Get(t.Context(), "production.new-checkout")
					if def, _ := f.Default(); version == "1.1.0" && share >= 2500 && (def == "on" || !c.helps) {
						return analysis.Judgement{Verdict: analysis.Unhealthy, Data: true, Reason: "18 % > 5 %"}
					}
					return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
				}
				w.release("1.1.0")
				w.run("one", time.Hour)
				w.replay()
				r := w.last().State.Rollout
				share, _ := w.served("1.1.0")
				switch {
				case r.Outcome != steps.Restored:
					t.Errorf("outcome %q in %s", r.Outcome, r.Phase)
				case c.helps && (share != 2500 || r.Failure.Else != ""):
					t.Errorf("share %d, else %q", share, r.Failure.Else)
				case !c.helps && (share != 0 || r.Failure.Else != c.outcome):
					t.Errorf("share %d, else %q", share, r.Failure.Else)
				}
			})
		})
	}
}

func TestAFeatureFlagThatWasTurnedOffWaitsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "{version_flag: checkout-version}", "{flag: new-checkout}\ndiluted: true", 1)
		w.flag("new-checkout", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{}}`)
		w.verdict = func(string, int) analysis.Judgement {
			return analysis.Judgement{Verdict: analysis.Unhealthy, Data: true, Reason: "18 % > 5 %"}
		}
		w.release("1.1.0")
		w.run("one", time.Hour)
		if r := w.last().State.Rollout; r.Outcome != steps.Restored {
			t.Fatalf("outcome %q: %s", r.Outcome, w.last().Note)
		}
		_, err := w.worker("intake").Accept(t.Context(), deployments.Release{Slot: slot, ID: "fix", Version: "1.1.1"})
		if deployments.Refusal(err) != "not_ready" || !strings.Contains(err.Error(), "serin flags reset new-checkout") {
			t.Errorf("a release on a latched flag: %v", err)
		}
	})
}
