package deployments_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// careless is a flag source without a latch, whose first call at 25 % hangs, heeds no context, and writes late.
type careless struct {
	mu    sync.Mutex
	share steps.Share
	hung  bool
	trace []steps.Share
}

func (c *careless) Expose(_ context.Context, w deployments.Wish) (steps.Observed, error) {
	c.mu.Lock()
	hang := w.Exposure.Share == 2500 && !c.hung
	c.hung = c.hung || hang
	c.mu.Unlock()
	if hang {
		time.Sleep(20 * time.Second)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.share = w.Exposure.Share
	c.trace = append(c.trace, c.share)
	return steps.Observed{Share: c.share, Confirmed: true, How: "read back"}, nil
}

func TestARampThatHangsPastTheKillDoesNotHaveTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "version_flag: checkout-version", "exec: {set: [x], read: [y]}", 1)
		source := &careless{}
		w.verdict = func(string, int) analysis.Judgement {
			source.mu.Lock()
			defer source.mu.Unlock()
			if source.hung {
				return analysis.Judgement{Verdict: analysis.Unhealthy, Critical: true, Data: true, Reason: "90 % > 25 %"}
			}
			return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
		}
		w.release("1.1.0")
		ctx, cancel := context.WithCancel(t.Context())
		worker := w.worker("one")
		worker.Exposers[steps.ExecMover] = source
		done := make(chan error)
		go func() { done <- worker.Run(ctx) }()
		time.Sleep(time.Hour)
		cancel()
		<-done
		if r := w.last().State.Rollout; r.Outcome != steps.Restored {
			t.Errorf("outcome %q in %s", r.Outcome, r.Phase)
		}
		if source.share != 0 {
			t.Errorf("the end is %v; calls took effect in the order %v", source.share, source.trace)
		}
		if n := len(source.trace); n < 4 || source.trace[n-2] != 2500 {
			t.Errorf("the late write did not happen: %v", source.trace)
		}
	})
}

// A worker that was frozen comes back with a reading of the rollout before: its seq is that of the new one.
func TestAReadingOfTheRolloutBeforeChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.verdict = failsAt(500)
		w.release("1.1.0")
		w.run("one", time.Hour)
		before := w.last().State.Rollout
		w.release("1.1.1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.worker("two").Run(ctx) }()
		for w.last().State.Rollout.Phase != steps.Baking {
			time.Sleep(time.Second)
		}
		now := w.last().State.Rollout
		late := steps.Measured{Rollout: before.ID, At: time.Now(), Seq: now.Seq, Verdicts: []analysis.Judgement{
			{Rule: "errors", Verdict: analysis.Unhealthy, Critical: true, Data: true, Reading: analysis.Reading{At: time.Now()}}}}
		if _, changed, err := w.worker("frozen").Handle(ctx, slot, late); err != nil || changed {
			t.Errorf("it changed something: %s (%v)", w.last().Note, err)
		}
		late.Rollout = now.ID
		if e, changed, err := w.worker("other").Handle(ctx, slot, late); err != nil || !changed || e.State.Rollout.Failure == nil {
			t.Errorf("a reading of the rollout itself changed nothing (%v)", err)
		}
		cancel()
		<-done
	})
}
