package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

func TestTheResultOfARollbackSaysWhyItFailedAndAtWhichShare(t *testing.T) {
	w := &waiter{env: Env{Stdout: io.Discard}, rollout: "checkout-1.1.0-1"}
	failed := deployments.EventData{Rollout: w.rollout, Rev: 3, Phase: steps.Reverting, Cause: steps.ByRules, FromPercent: 25, Reason: "error-rate: 18 % > 5 %"}
	if end := w.hear(deployments.Event{Name: "rollout.failed", Data: failed}); end != nil {
		t.Fatalf("it ended before it was confirmed: %+v", end)
	}
	restored := deployments.EventData{Rollout: w.rollout, Rev: 4, Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, FromPercent: 25,
		Reason: "error-rate: 0 % ≤ 5 %"}
	got := w.hear(deployments.Event{Name: "rollout.restored", Data: restored})
	if got == nil || got.Exit != exitRolledBack || got.Reason != failed.Reason || got.Percent != 25 {
		t.Errorf("ended with %+v", got)
	}
}

// waited is a waiter on a rollout, in a bubble whose time passes at once, and what it hears.
type waited struct {
	*waiter
	out, err *strings.Builder
	heard    chan deployments.Event
	failed   chan error
	rev      uint64
	aborts   int                     // ordered
	obey     func(int) (bool, error) // the nth order
	code     chan int
}

func newWaited(ctx context.Context, f waitFlags) *waited {
	w := newUnstarted(f)
	w.start(ctx)
	return w
}

func newUnstarted(f waitFlags) *waited {
	w := &waited{out: &strings.Builder{}, err: &strings.Builder{}, heard: make(chan deployments.Event), failed: make(chan error), code: make(chan int, 1)}
	w.waiter = &waiter{env: Env{Stdout: w.out, Stderr: w.err, Now: time.Now, Getenv: func(string) string { return "ada" }}, flags: f, begin: time.Now(),
		rel: deployments.Release{Slot: deployments.Slot{Environment: "production", Service: "checkout"}, Version: "1.1.0", ID: "r1"}, rollout: "checkout-1.1.0-1"}
	w.obey = func(int) (bool, error) { return true, nil }
	w.command = func(ctx context.Context, _ deployments.Slot, verb string, body any) (jetstream.Reply, error) {
		w.aborts++
		if ctx.Err() != nil {
			return jetstream.Reply{}, ctx.Err()
		}
		if c, ok := body.(steps.Command); !ok || verb != "abort" || c.Rollout != "checkout-1.1.0-1" {
			return jetstream.Reply{}, errors.New("no abort of the rollout")
		}
		ok, err := w.obey(w.aborts)
		return jetstream.Reply{OK: ok, Error: "busy"}, err
	}
	return w
}

// start lets it wait.
func (w *waited) start(ctx context.Context) {
	go func() {
		err := w.listen(ctx, news{heard: w.heard, failed: w.failed})
		code := exitOK
		if err != nil {
			w.err.WriteString(err.Error())
			code = exitCode(err)
		}
		w.code <- code
	}()
}

// says lets the waiter hear an event of the next revision.
func (w *waited) says(name string, d deployments.EventData) {
	w.rev++
	d.Rollout, d.Rev, d.Service, d.Environment, d.Version = "checkout-1.1.0-1", w.rev, "checkout", "production", "1.1.0"
	w.heard <- deployments.Event{Name: name, Data: d}
	synctest.Wait()
}

// still fails a test whose wait is over.
func (w *waited) still(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case code := <-w.code:
		t.Fatalf("it ended with %d: %s", code, w.err)
	default:
	}
}

func (w *waited) ends(t *testing.T, want int, words string) {
	t.Helper()
	if got := <-w.code; got != want || !strings.Contains(w.err.String(), words) {
		t.Errorf("exit status %d, not %d with %q: %s", got, want, words, w.err)
	}
}

func TestAWaitExitsAsItsRolloutEnds(t *testing.T) {
	for name, c := range map[string]struct {
		data deployments.EventData
		want int
	}{
		"promoted":             {deployments.EventData{Outcome: steps.Promoted}, 0},
		"taken back":           {deployments.EventData{Outcome: steps.Restored, Cause: steps.ByRules}, 3},
		"taken back, no data":  {deployments.EventData{Outcome: steps.Restored, Cause: steps.ByLostData}, 3},
		"not confirmed":        {deployments.EventData{Outcome: steps.RestoreUnconfirmed, Cause: steps.ByPerson}, 4},
		"aborted":              {deployments.EventData{Outcome: steps.Restored, Cause: steps.ByPerson}, 5},
		"aborted before":       {deployments.EventData{Outcome: steps.NeverExposed, Cause: steps.ByPerson}, 5},
		"superseded":           {deployments.EventData{Outcome: steps.Restored, Cause: steps.BySuperseded}, 7},
		"not ready":            {deployments.EventData{Outcome: steps.NeverExposed, Cause: steps.NotReady}, 9},
		"taken back by a hold": {deployments.EventData{Outcome: steps.Restored, Cause: steps.ByHoldTimeout}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWaited(t.Context(), waitFlags{output: "text"})
				w.says("step.started", deployments.EventData{Phase: steps.Shifting})
				w.still(t)
				c.data.Phase = steps.Ended
				w.says("the.end", c.data)
				w.ends(t, c.want, "")
			})
		})
	}
}

func TestAWaitThatTimesOutSaysHowToGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "text", timeout: 150 * time.Second})
		w.says("traffic.unconfirmed", deployments.EventData{Phase: steps.Shifting})
		w.ends(t, exitTimeout, "`serin wait checkout-1.1.0-1 --env production`")
		if n := strings.Count(w.out.String(), "still going"); n != 2 {
			t.Errorf("%d heartbeats in 150 s: %s", n, w.out)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "text", timeout: time.Minute})
		w.says("rollback.failed", deployments.EventData{Phase: steps.Reverting, Outcome: steps.RestoreUnconfirmed})
		w.ends(t, exitUnconfirmed, "still being tried")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "text", timeout: time.Minute})
		w.says("rollback.failed", deployments.EventData{Phase: steps.Reverting, Outcome: steps.RestoreUnconfirmed})
		w.says("rollback.completed", deployments.EventData{Phase: steps.Recovering, Cause: steps.ByRules})
		w.ends(t, exitRolledBack, "the failed rules are still watched")
	})
}

func TestAWaitEndsWhileAPersonIsWaitedForOnlyWhereThatIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		event string
		phase steps.Phase
		over  string
	}{
		"approval": {"approval.requested", steps.AwaitingApproval, "approval.granted"},
		"paused":   {"rollout.paused", steps.Baking, "rollout.resumed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWaited(t.Context(), waitFlags{output: "text", exitOnPause: true})
				w.says(c.event, deployments.EventData{Phase: c.phase})
				w.says(c.over, deployments.EventData{Phase: steps.Baking})
				w.heard <- deployments.Event{} // so far it was history
				w.still(t)
				w.says(c.event, deployments.EventData{Phase: c.phase})
				w.ends(t, exitPaused, "`serin wait checkout-1.1.0-1 --env production`")
			})
			synctest.Test(t, func(t *testing.T) {
				w := newWaited(t.Context(), waitFlags{output: "text"})
				w.heard <- deployments.Event{}
				w.says(c.event, deployments.EventData{Phase: c.phase})
				w.still(t)
				w.says("rollout.promoted", deployments.EventData{Phase: steps.Ended, Outcome: steps.Promoted})
				w.ends(t, exitOK, "")
			})
		})
	}
}

func TestACancelLeavesTheRolloutAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWaited(ctx, waitFlags{output: "text"})
		cancel()
		w.ends(t, exitTimeout, "detached: the rollout goes on: `serin wait checkout-1.1.0-1 --env production`")
		if w.aborts > 0 {
			t.Errorf("%d aborts were ordered", w.aborts)
		}
	})
}

func TestACancelOrdersAnAbortUntilSomebodyObeysAndWaitsForItsEnd(t *testing.T) {
	aborted := deployments.EventData{Phase: steps.Reverting, Cause: steps.ByPerson, Reason: "cancelled"}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWaited(ctx, waitFlags{output: "json", abortOnCancel: true, exitOnPause: true})
		w.obey = func(n int) (bool, error) {
			return n == 3, map[int]error{1: jetstream.ErrNobody}[n]
		}
		cancel()
		w.still(t)
		<-time.After(time.Minute)
		w.still(t)
		if w.aborts != 3 {
			t.Errorf("ordered %d times", w.aborts)
		}
		w.says("rollout.aborted", aborted)
		w.says("rollout.restored", deployments.EventData{Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByPerson})
		w.ends(t, exitAborted, "ordering an abort")
		var r result
		if err := json.Unmarshal([]byte(w.out.String()), &r); err != nil || r.Exit != exitAborted || r.Reason != "cancelled" || r.Rollout != "checkout-1.1.0-1" {
			t.Errorf("%v: %s", err, w.out)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWaited(ctx, waitFlags{output: "text", abortOnCancel: true})
		cancel()
		w.says("rollout.aborted", aborted)
		w.says("rollback.failed", deployments.EventData{Phase: steps.Reverting, Outcome: steps.RestoreUnconfirmed, Cause: steps.ByPerson})
		w.ends(t, exitUnconfirmed, "still being tried")
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWaited(ctx, waitFlags{output: "text", abortOnCancel: true})
		w.obey = func(int) (bool, error) { return false, nats.ErrPermissionViolation }
		cancel()
		w.ends(t, exitTimeout, "not aborted")
	})
}

func TestNewsOfAnotherReleaseEndNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "jsonl"})
		w.says("release.superseded", deployments.EventData{Phase: steps.Baking, Release: "r2", Target: "r2", Reason: "superseded by 1.3.0"})
		w.heard <- deployments.Event{Name: "release.rejected", Data: deployments.EventData{Release: "r1"}} // published once more, too late
		w.heard <- deployments.Event{Name: "rollout.promoted", Data: deployments.EventData{Rollout: "checkout-1.0.0-0", Rev: 9, Phase: steps.Ended, Outcome: steps.Promoted}}
		w.still(t)
		w.says("rollout.restored", deployments.EventData{Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, Reason: "error-rate"})
		w.ends(t, exitRolledBack, "")
		lines := strings.Split(strings.TrimSpace(w.out.String()), "\n")
		var r result
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || len(lines) != 3 || r.Exit != exitRolledBack || r.Reason != "error-rate" {
			t.Errorf("%v: %s", err, w.out)
		}
	})
}

func TestAWaitForADuplicateFollowsWhatItIsADuplicateOf(t *testing.T) {
	rollout := func(version string, phase steps.Phase, o steps.Outcome) *steps.Rollout {
		return &steps.Rollout{ID: "checkout-" + version + "-1", Version: version, Phase: phase, Outcome: o, Paused: phase == steps.Baking}
	}
	for name, c := range map[string]struct {
		state   deployments.State
		want    *result
		rollout string
		release string
	}{
		"under way and paused":  {deployments.State{Rollout: rollout("1.1.0", steps.Baking, "")}, &result{Exit: exitPaused}, "checkout-1.1.0-1", "r1"},
		"over":                  {deployments.State{Rollout: rollout("1.1.0", steps.Ended, steps.Restored)}, &result{Exit: exitRolledBack}, "checkout-1.1.0-1", "r1"},
		"promoted, then others": {deployments.State{Rollout: rollout("1.2.0", steps.Ended, steps.Restored), Stable: "1.1.0"}, &result{Exit: exitOK}, "", "r1"},
		"waiting": {deployments.State{Rollout: rollout("1.0.0", steps.Baking, ""), Queue: []deployments.Queued{{Release: deployments.Release{ID: "r0", Version: "1.1.0"}}}},
			nil, "", "r0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &waiter{env: Env{Stdout: io.Discard, Now: time.Now}, flags: waitFlags{output: "text", exitOnPause: true}, rel: deployments.Release{ID: "r1", Version: "1.1.0"},
				caughtUp: true, last: func() (deployments.Entry, error) { return deployments.Entry{Rev: 3, State: c.state}, nil }}
			got := w.hear(deployments.Event{Name: "release.duplicate", Data: deployments.EventData{Release: "r1", Rollout: c.state.Rollout.ID, Phase: c.state.Rollout.Phase}})
			if (got == nil) != (c.want == nil) || got != nil && got.Exit != c.want.Exit || w.rollout != c.rollout || w.rel.ID != c.release {
				t.Errorf("%+v, rollout %q, release %q", got, w.rollout, w.rel.ID)
			}
		})
	}
}

func TestAClosedConnectionEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "text"})
		w.failed <- nats.ErrConnectionClosed
		w.ends(t, exitUnreachable, "connection closed")
	})
}

func TestAnAbortWithoutAReasonIsToldByWhomItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaited(t.Context(), waitFlags{output: "text"})
		w.says("rollout.aborted", deployments.EventData{Phase: steps.Reverting, Cause: steps.ByPerson, By: "ada"})
		w.says("rollout.restored", deployments.EventData{Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByPerson, Reason: "65 users evaluated"})
		w.ends(t, exitAborted, "restored: by ada")
	})
}
