package deployments_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// summarized is the summary of one version's rollout.
func (w *world) summarized(version string) deployments.Summary {
	w.t.Helper()
	s, ok := deployments.Summarize(w.entriesOf(version))
	if !ok {
		w.t.Fatalf("%s has no summary", version)
	}
	return s
}

func (w *world) entriesOf(version string) []deployments.Entry {
	return slices.DeleteFunc(w.journal.Entries(), func(e deployments.Entry) bool {
		return e.State.Rollout == nil || e.State.Rollout.Version != version
	})
}

func TestASummaryTellsWhatBecameOfARelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		began := time.Now().UTC()
		w.verdict = failsAt(2500)
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.release("1.1.1")
		w.run("one", time.Hour)

		bad := w.summarized("1.1.0")
		if bad.Turned.Before(began) || bad.Restored.Before(bad.Turned) || bad.Ended.Before(bad.Restored) || bad.Exposed.IsZero() || bad.Revs < 5 {
			t.Errorf("times out of order: %+v", bad)
		}
		want := deployments.Summary{Slot: slot, Rollout: bad.Rollout, Version: "1.1.0", Stable: "1.0.0", Release: "id-1.1.0", Policy: bad.Policy,
			Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, Reason: bad.Reason, Rules: []string{"errors"}, Confirmed: []float64{5, 25},
			Began: began, Exposed: bad.Exposed, Turned: bad.Turned, Restored: bad.Restored, Ended: bad.Ended, Revs: bad.Revs,
			Step: "25 %", Traffic: bad.Traffic, Fault: bad.Fault, Accounts: &deployments.Accounts{Counts: []string{"errors"}}}
		if diff := cmp.Diff(want, bad); diff != "" || bad.Reason == "" || bad.Policy == "" {
			t.Errorf("want -, got +:\n%s", diff)
		}

		good := w.summarized("1.1.1")
		if diff := cmp.Diff([]float64{5, 25, 100}, good.Confirmed); diff != "" || good.Outcome != steps.Promoted || good.Cause != "" || !good.Turned.IsZero() {
			t.Errorf("%+v, shares want -, got +:\n%s", good, diff)
		}
	})
}

func TestASummaryIsTheSameWhoeverMakesItAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.release("1.1.0")
		w.run("one", time.Hour)
		first := w.summarized("1.1.0")
		if a := w.release("1.1.0"); a != deployments.Duplicate {
			t.Fatalf("the same release again is %s", a)
		}
		w.release("1.1.1")
		w.run("one", time.Hour)
		if diff := cmp.Diff(first, w.summarized("1.1.0")); diff != "" {
			t.Errorf("after a duplicate and another rollout: want -, got +:\n%s", diff)
		}
		// The first entry decides: those of the next rollout change nothing.
		all, _ := deployments.Summarize(w.journal.Entries())
		if diff := cmp.Diff(first, all); diff != "" {
			t.Errorf("of all entries: want -, got +:\n%s", diff)
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var again deployments.Summary
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("through JSON: want -, got +:\n%s", diff)
		}
	})
}

func TestALiveRolloutHasASummaryToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.release("1.1.0")
		w.run("one", 90*time.Second)
		s := w.summarized("1.1.0")
		if s.Phase == steps.Ended || !s.Ended.IsZero() || !slices.Equal(s.Confirmed, []float64{5, 25}) {
			t.Errorf("%+v, want a live one at 25 %%", s)
		}
	})
	if s, ok := deployments.Summarize([]deployments.Entry{{Slot: slot, Rev: 1}}); ok {
		t.Errorf("of no rollout: %+v", s)
	}
}

func TestExactlyOneEntryEndsARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.release("1.1.0")
		w.run("one", time.Hour)
		time.Sleep(time.Second) // synthetic time
		w.release("1.1.0")
		n := 0
		for _, e := range w.journal.Entries() {
			if e.Ends() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d entries end the rollout, want 1", n)
		}
	})
}
