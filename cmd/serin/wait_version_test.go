package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// awaited is a wait under way and how it ends.
func (o *ordered) awaited(args ...string) func(want int) result {
	o.t.Helper()
	live, out := o.env, &strings.Builder{}
	live.Stdout, live.Stderr = out, out
	code := make(chan int, 1)
	go func() { code <- run(o.t.Context(), append(args, "--data", "data", "-o", "json"), live) }()
	return func(want int) (r result) {
		o.t.Helper()
		if got := <-code; got != want {
			o.t.Errorf("serin %s: %d, not %d: %s", strings.Join(args, " "), got, want, out)
		}
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			o.t.Errorf("serin %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return r
	}
}

func TestAWaitForAVersionNeverCatchesTheRolloutBefore(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with a daemon", func(t *testing.T) {
		o := newOrdered(t)
		o.do("flags", "set", "cart-version", "1.0.0")
		baking := func(version string, not ...string) string {
			t.Helper()
			return o.until("cart", func(r steps.Rollout) bool {
				return r.Version == version && r.Phase == steps.Baking && (len(not) == 0 || r.ID != not[0])
			}).Rollout
		}
		abort := func(reason string) { o.do("abort", "cart", "--by", "ada", "--reason", reason) }

		first := o.awaited("wait", "cart", "--version", "1.1.0")
		o.do("release", "cart", "1.1.0")
		rollout := baking("1.1.0")
		abort("the first")
		if r := first(exitAborted); r.Rollout != rollout || r.Reason != "the first" || r.Release == "" {
			t.Errorf("published after the wait began: %+v", r)
		}

		o.do("release", "cart", "1.2.0")
		baking("1.2.0")
		next := o.awaited("wait", "cart", "--version", "1.3.0")
		o.do("release", "cart", "1.3.0")
		rollout = baking("1.3.0")
		abort("the next")
		if r := next(exitAborted); r.Rollout != rollout || r.Version != "1.3.0" {
			t.Errorf("while another rollout was under way: %+v", r)
		}
		if r := o.awaited("wait", "cart", "--version", "1.2.0", "--accept-timeout", "100ms")(exitSuperseded); r.Version != "1.2.0" {
			t.Errorf("behind another rollout: %+v", r)
		}
		if r := o.awaited("wait", "cart", "--version", "1.3.0", "--accept-timeout", "100ms")(exitAborted); r.Rollout != rollout {
			t.Errorf("after its end: %+v", r)
		}

		again := o.awaited("wait", "cart", "--version", "1.3.0")
		o.do("release", "cart", "1.3.0")
		second := baking("1.3.0", rollout)
		abort("again")
		if r := again(exitAborted); r.Rollout != second || r.Reason != "again" {
			t.Errorf("published once more: %+v", r)
		}
		if r := o.awaited("wait", "cart", "--version", "9.9.9", "--accept-timeout", "100ms")(exitNotAccepted); !strings.Contains(r.Reason, "within 100ms") {
			t.Errorf("never published: %+v", r)
		}
		if code, said := o.serin("wait", "cart", "--version", "\x1b"); code != exitUsage {
			t.Errorf("no version: %d: %s", code, said)
		}
	})
}

func TestAWaitForAVersionTellsOldNewsOnlyWhenNoNewOnesCome(t *testing.T) {
	rejected := deployments.Event{Name: "release.rejected", Data: deployments.EventData{Rev: 6, Version: "1.1.0", Release: "r1", Reason: "the queue is full"}}
	wait := func(ctx context.Context) *waited {
		w := newUnstarted(waitFlags{output: "text"})
		w.rel.ID, w.rollout, w.known, w.accept = "", "", 7, 30*time.Second
		w.before = func() (*result, bool) { return w.turnedDown, w.turnedDown != nil }
		w.start(ctx)
		return w
	}
	synctest.Test(t, func(t *testing.T) {
		w := wait(t.Context())
		w.heard <- rejected
		w.still(t)
		w.ends(t, exitNotAccepted, "the queue is full")
	})
	synctest.Test(t, func(t *testing.T) {
		w := wait(t.Context())
		w.heard <- rejected
		w.heard <- deployments.Event{Name: "release.accepted", Data: deployments.EventData{Rev: 7, Version: "1.1.0", Release: "r1", Rollout: "checkout-1.1.0-1"}}
		w.still(t)
		w.ends(t, exitNotAccepted, "within 30s") // it was taken in later than it was refused, and before the wait
	})
	synctest.Test(t, func(t *testing.T) {
		w := wait(t.Context())
		w.heard <- rejected
		w.heard <- deployments.Event{Name: "release.queued", Data: deployments.EventData{Rev: 8, Version: "1.1.0", Release: "r2"}}
		w.heard <- deployments.Event{Name: "release.rejected", Data: deployments.EventData{Rev: 9, Version: "1.1.0", Release: "r3"}}
		<-time.After(time.Minute)
		w.still(t)
		w.heard <- deployments.Event{Name: "release.superseded", Data: deployments.EventData{Rev: 10, Version: "1.1.0", Release: "r2", Target: "r2", Reason: "superseded by 1.2.0"}}
		w.ends(t, exitSuperseded, "by 1.2.0")
	})
}

func TestAPipelineOfLeastPrivilegeWaitsForVersionsOfBefore(t *testing.T) {
	g := newGuardedNATS(t)
	const ci = "ci-production"
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	g.daemon(t, guardedPolicies)
	g.serin(t, exitOK, "operator-production", "flags", "set", "checkout-version", "1.0.0")

	nc := g.connect(t, ci).Conn()
	if err := nc.Publish("serin.release.production.checkout", []byte(`{"version":"1.1.0"}`)); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := g.serin(t, exitTimeout, ci, "wait", "checkout", "--version", "1.1.0", "--timeout", "1s"); !strings.Contains(got, "the rollout goes on: `serin wait checkout-1.1.0-") {
		t.Errorf("under way: %s", got)
	}
	g.serin(t, exitOK, ci, "abort", "checkout", "--reason", "wrong build")
	g.serin(t, exitTimeout, ci, "release", "checkout", "1.2.0", "--wait", "--timeout", "1s")
	if got := g.serin(t, exitAborted, ci, "wait", "checkout", "--version", "1.1.0", "--accept-timeout", "100ms"); !strings.Contains(got, "wrong build") {
		t.Errorf("behind another: %s", got)
	}
}
