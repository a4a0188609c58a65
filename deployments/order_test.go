package deployments_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestAnOrderThatNamesARolloutMeansNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "weight: 5, bake: 1m", "weight: 5, bake: 10h", 1)
		w.release("1.1.0")
		w.run("one", time.Minute)
		before := w.last()
		_, err := w.worker("other").Order(t.Context(), slot, steps.Command{Verb: steps.Abort, Rollout: "an-earlier-one"})
		if deployments.Refusal(err) != "unknown_rollout" || w.last().Rev != before.Rev {
			t.Errorf("error %v; the last entry: %s", err, w.last().Note)
		}
		e, err := w.worker("other").Order(t.Context(), slot, steps.Command{Verb: steps.Abort, Rollout: before.State.Rollout.ID})
		if err != nil || e.State.Rollout.Failure == nil {
			t.Errorf("error %v; the last entry: %s", err, e.Note)
		}
	})
}
