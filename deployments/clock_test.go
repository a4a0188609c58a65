package deployments_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// clocks is a worker's clock beside the true one, and a Prometheus with the true one: it knows nothing of what is to
// come, and what lies before the first exposure proves nothing.
type clocks struct {
	*world
	mu    sync.Mutex
	ahead time.Duration // of the worker
	bad   atomic.Bool   // 1.1.0, wherever it serves users
	all   bool          // Prometheus has the worker's clock: one machine, which slept
	asked []time.Time   // true instants of readings
}

func (c *clocks) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clocks) jump(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += by
}

// trueAnalyst judges only what Prometheus can have.
type trueAnalyst struct {
	analyst
	c *clocks
}

func (a trueAnalyst) Measure(ctx context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	c := a.c
	c.mu.Lock()
	c.asked = append(c.asked, time.Now())
	c.mu.Unlock()
	out := a.analyst.Measure(ctx, rs, at)
	present := time.Now()
	if c.all {
		present = c.now()
	}
	for i, r := range rs {
		if share, _ := c.served("1.1.0"); c.bad.Load() && share > 0 {
			out[i] = analysis.Judgement{Rule: r.Rule.Name, Verdict: analysis.Unhealthy, Reason: "18 % > 5 %", Data: true, Reading: analysis.Reading{At: at}}
		}
		if at.After(present.Add(time.Minute)) || at.Add(-r.Rule.Window).Before(r.Since) {
			out[i] = analysis.Judgement{Rule: r.Rule.Name, Verdict: analysis.NoData, Reason: "nothing there", Reading: analysis.Reading{At: at}}
		}
	}
	return out
}

// readings counts those since an instant.
func (c *clocks) readings(since time.Time) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.asked {
		if at.After(since) {
			n++
		}
	}
	return n
}

// serve runs a worker on the clock until the end of the test.
func (c *clocks) serve() (stop func()) {
	w := c.worker("one")
	w.Now, w.Analyst = c.now, trueAnalyst{analyst{c.world}, c}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	}
}

// ends waits until the slot is at rest, and says how long that took.
func (c *clocks) ends(limit time.Duration) time.Duration {
	began := time.Now()
	for time.Since(began) < limit && c.last().State.Live() {
		time.Sleep(time.Second) // synthetic time
	}
	return time.Since(began)
}

func TestAClockThatJumpsAndIsPutRightPromotesAndRollsBackNothing(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &clocks{world: newWorld(t)}
				defer c.serve()()
				c.release("1.1.0")
				time.Sleep(30 * time.Second)
				before := len(c.journal.Entries())

				c.jump(by)
				jumped := time.Now()
				time.Sleep(5 * time.Minute)
				r := c.last().State.Rollout
				t.Logf("after 5 min: %s at %v, hold %v, failure %v; %d readings, %d entries", r.Phase, r.Confirmed, r.Hold, r.Failure, c.readings(jumped), len(c.journal.Entries())-before)
				if r.Phase != steps.Baking || r.Confirmed != 500 || r.Failure != nil {
					t.Errorf("it is %s at %v, failure %v", r.Phase, r.Confirmed, r.Failure)
				}
				if n := c.readings(jumped); n < 25 || n > 35 {
					t.Errorf("%d readings in 5 minutes, want one each 10 s", n)
				}
				if n := len(c.journal.Entries()) - before; n > 3 {
					t.Errorf("%d entries were written", n)
				}

				c.jump(-by)
				took := c.ends(2 * time.Hour)
				r = c.last().State.Rollout
				t.Logf("ended %v after it was put right: %s %s", took, r.Outcome, r.Cause)
				if r.Outcome != steps.Promoted || took > 10*time.Minute {
					t.Errorf("%s %s after %v", r.Outcome, r.Cause, took)
				}
			})
		})
	}
}

func TestABadReleaseIsTakenBackSoonAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clocks{world: newWorld(t), ahead: time.Hour} // wrong from the start
		w := c.worker("intake")
		w.Now = c.now
		if _, err := w.Accept(t.Context(), deployments.Release{Slot: slot, ID: "1", Version: "1.1.0"}); err != nil {
			t.Fatal(err)
		}
		defer c.serve()()
		time.Sleep(30 * time.Second)
		c.bad.Store(true)
		c.jump(-time.Hour)
		took := c.ends(3 * time.Hour)
		r := c.last().State.Rollout
		t.Logf("%s %s after %v, %d readings", r.Outcome, r.Cause, took, c.readings(time.Time{}))
		if r.Outcome != steps.Restored || took > 10*time.Minute {
			t.Errorf("%s %s after %v", r.Outcome, r.Cause, took)
		}
	})
}

func TestAGoodReleaseWaitsForTheInstantsThatAWrongClockHasNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clocks{world: newWorld(t), ahead: 20 * time.Minute}
		w := c.worker("intake")
		w.Now = c.now
		if _, err := w.Accept(t.Context(), deployments.Release{Slot: slot, ID: "1", Version: "1.1.0"}); err != nil {
			t.Fatal(err)
		}
		defer c.serve()()
		time.Sleep(30 * time.Second)
		c.jump(-20 * time.Minute)
		time.Sleep(15 * time.Minute)
		if r := c.last().State.Rollout; r.Step != 0 || r.Failure != nil {
			t.Errorf("step %d, failure %+v", r.Step, r.Failure)
		}
		took := c.ends(time.Hour)
		t.Logf("promoted %v after the clock was set right", 15*time.Minute+took)
		if r := c.last().State.Rollout; r.Outcome != steps.Promoted || took > 10*time.Minute {
			t.Errorf("%s %s after %v", r.Outcome, r.Cause, took)
		}
	})
}

func TestTimeThatTheWholeMachineSleptCountsButNotWithoutAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clocks{world: newWorld(t), all: true}
		defer c.serve()()
		c.release("1.1.0")
		time.Sleep(30 * time.Second)
		c.bad.Store(true)
		c.jump(time.Hour)
		slept := time.Now()
		c.ends(time.Hour)
		r := c.last().State.Rollout
		t.Logf("bad: %s %s after %v, %d readings", r.Outcome, r.Cause, time.Since(slept), c.readings(slept))
		if r.Outcome != steps.Restored || r.Cause != steps.ByRules || r.Step != 0 {
			t.Errorf("%s %s in step %d", r.Outcome, r.Cause, r.Step)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := &clocks{world: newWorld(t), all: true}
		defer c.serve()()
		c.release("1.1.0")
		time.Sleep(30 * time.Second)
		c.jump(time.Hour)
		slept := time.Now()
		for c.last().State.Rollout.Step == 0 && time.Since(slept) < time.Minute {
			time.Sleep(time.Second)
		}
		t.Logf("good: the next step began %v after, with %d readings", time.Since(slept), c.readings(slept))
		if c.readings(slept) < 1 || c.last().State.Rollout.Step != 1 {
			t.Errorf("%d readings, step %d", c.readings(slept), c.last().State.Rollout.Step)
		}
	})
}
