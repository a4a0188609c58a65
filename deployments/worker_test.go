package deployments_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// run keeps a worker going until the slot is at rest, or the time is up.
func (w *world) run(name string, limit time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.worker(name).Run(ctx) }()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Second) { // synthetic time
		if s := w.last().State; s.Rollout != nil && !s.Live() && len(s.Queue) == 0 {
			break
		}
	}
	synctest.Wait()
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) release(version string) deployments.Answer {
	w.t.Helper()
	a, err := w.worker("intake").Accept(context.Background(), deployments.Release{Slot: slot, ID: "id-" + version, Version: version})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// failsAt makes 1.1.0 unhealthy from a share on.
func failsAt(share int) func(string, int) analysis.Judgement {
	return func(version string, served int) analysis.Judgement {
		j := analysis.Judgement{Verdict: analysis.Healthy, Data: true}
		if version == "1.1.0" && served >= share {
			j.Verdict, j.Reason = analysis.Unhealthy, "18 % > 5 %"
		}
		return j
	}
}

func TestAHealthyReleaseIsPromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.release("1.1.0")
		w.run("one", time.Hour)
		e := w.last()
		if r := e.State.Rollout; r.Outcome != steps.Promoted || e.State.Stable != "1.1.0" {
			t.Errorf("outcome %q, stable %q", r.Outcome, e.State.Stable)
		}
		if _, def := w.served("1.1.0"); def != "1.1.0" {
			t.Errorf("the flag's default is %s", def)
		}
		want := []string{"release.accepted", "step.started", "traffic.requested", "traffic.confirmed", "step.passed", "step.started", "traffic.requested",
			"traffic.confirmed", "step.passed", "step.started", "traffic.requested", "traffic.confirmed", "rollout.promoted"}
		if diff := cmp.Diff(want, names(w.events())); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func names(es []deployments.Event) []string {
	var out []string
	for _, e := range es {
		out = append(out, e.Name)
	}
	return out
}

func TestABadReleaseIsTakenBackAndTheFixIsPromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.verdict = failsAt(2500)
		w.release("1.1.0")
		w.run("one", time.Hour)
		r := w.last().State.Rollout
		if r.Outcome != steps.Restored || r.Cause != steps.ByRules || r.Confirmed != 0 {
			t.Fatalf("outcome %q, cause %q, confirmed %v", r.Outcome, r.Cause, r.Confirmed)
		}
		if share, def := w.served("1.1.0"); share != 0 || def != "1.0.0" {
			t.Errorf("the flag serves %d, default %s", share, def)
		}
		for _, name := range []string{"rollout.failed", "rollback.requested", "rollback.completed", "rollout.restored"} {
			i := slices.IndexFunc(w.events(), func(e deployments.Event) bool { return e.Name == name })
			if i < 0 {
				t.Fatalf("no event %s in %v", name, names(w.events()))
			}
			if e := w.events()[i]; name == "rollback.requested" && (e.Subject != "rollback.production.checkout" || e.Data.To.Version != "1.0.0" || len(e.Data.Evidence) == 0) {
				t.Errorf("rollback event %+v", e)
			}
		}
		w.release("1.1.1")
		w.run("one", time.Hour)
		if e := w.last(); e.State.Stable != "1.1.1" {
			t.Errorf("stable is %q: %s", e.State.Stable, e.Note)
		}
	})
}

func TestAPassingTickWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "weight: 5, bake: 1m", "weight: 5, bake: 10h", 1)
		w.release("1.1.0")
		w.run("one", time.Minute)
		before := len(w.journal.Entries())
		w.run("one", 5*time.Hour)
		if after := len(w.journal.Entries()); after != before {
			t.Errorf("%d entries were written by passing ticks", after-before)
		}
	})
}

func TestANewerReleaseSupersedesAndBeginsOnceTheOldIsAtZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.release("1.1.0")
		w.run("one", 90*time.Second)
		if a := w.release("1.1.0"); a != deployments.Duplicate {
			t.Errorf("the same release again: %s", a)
		}
		if a := w.release("1.2.0"); a != deployments.Supersedes {
			t.Errorf("a newer release: %s", a)
		}
		w.run("one", time.Hour)
		if e := w.last(); e.State.Stable != "1.2.0" || len(e.State.Queue) != 0 {
			t.Errorf("stable %q, queue %v", e.State.Stable, e.State.Queue)
		}
		if a := w.release("1.2.0"); a != deployments.Duplicate {
			t.Errorf("a promoted release again: %s", a)
		}
	})
}

func TestAReleaseWithoutPolicyOrFlagIsRefusedWithTheCure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for what, c := range map[string]struct {
			slot                 deployments.Slot
			policy, reason, cure string
		}{
			"no policy": {deployments.Slot{Environment: "production", Service: "other"}, policyText, "no_policy", "--policies"},
			"no flag":   {slot, strings.Replace(policyText, "checkout-version", "nothing", 1), "not_ready", "serin flags set nothing"},
		} {
			w.policy = c.policy
			_, err := w.worker("intake").Accept(t.Context(), deployments.Release{Slot: c.slot, ID: what, Version: "1.1.0"})
			if deployments.Refusal(err) != c.reason || !strings.Contains(err.Error(), c.cure) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestAnAcknowledgementConfirmsAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "version_flag: checkout-version", "event: deployer", 1) + "first_release: allow\n"
		w.release("1.1.0")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.worker("one").Run(ctx) }()
		for range 4 {
			time.Sleep(2 * time.Minute)
			r := w.last().State.Rollout
			forged := steps.Applied{Seq: r.Seq - 1, Target: steps.Traffic, Observed: r.Want, Confirmed: true, How: "acknowledged"}
			if _, changed, _ := w.worker("other").Handle(ctx, slot, forged); changed {
				t.Error("an older acknowledgement changed something")
			}
			forged.Seq++
			if _, _, err := w.worker("other").Handle(ctx, slot, forged); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		cancel()
		<-done
		if r := w.last().State.Rollout; r.Outcome != steps.Promoted {
			t.Errorf("phase %s, %s", r.Phase, w.last().Note)
		}
	})
}

// TestACrashAfterEveryAppendAndEffectLosesNothing stops the worker before and after each append, and after each call of
// the flag source; the next worker goes on. The end is the same, and so are the events with their ids' names.
func TestACrashAfterEveryAppendAndEffectLosesNothing(t *testing.T) {
	finalOf := func(t *testing.T, arm func(w *world, crash func() error)) (string, int, int) {
		var final string
		var appends, exposes int
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.verdict = failsAt(2500)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			w.release("1.1.0")
			arm(w, func() error { cancel(); return errCrash })
			done := make(chan error)
			go func() { done <- w.worker("first").Run(ctx) }()
			<-done
			w.journal.Fail, w.journal.After, w.onCall = nil, nil, nil
			w.run("second", time.Hour)
			e := w.last()
			share, def := w.served("1.1.0")
			final = fmt.Sprintf("%s %s %v, flag %d default %s", e.State.Rollout.Outcome, e.State.Rollout.Cause, e.State.Rollout.Confirmed, share, def)
			seen := map[string]int{}
			for _, ev := range w.events() {
				if seen[ev.ID]++; seen[ev.ID] > 1 {
					t.Errorf("event %s twice", ev.ID)
				}
				if ev.Name == "rollback.requested" || ev.Name == "rollback.completed" || ev.Name == "rollout.failed" {
					final += " " + ev.Name
				}
			}
			appends, exposes = len(w.journal.Entries()), w.exposes
		})
		return final, appends, exposes
	}
	want, appends, exposes := finalOf(t, func(*world, func() error) {})
	if !strings.HasPrefix(want, "restored rules 0 %, flag 0 default 1.0.0 rollout.failed rollback.requested rollback.completed") {
		t.Fatalf("without a crash: %s", want)
	}
	check := func(what string, n int, arm func(w *world, crash func() error)) {
		t.Run(fmt.Sprintf("%s %d", what, n), func(t *testing.T) {
			if got, _, _ := finalOf(t, arm); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	for n := 1; n < appends; n++ {
		check("before append", n, func(w *world, crash func() error) {
			count := 0
			w.journal.Fail = func(deployments.Entry) error {
				if count++; count >= n {
					return crash()
				}
				return nil
			}
		})
		check("after append", n, func(w *world, crash func() error) {
			count := 0
			w.journal.After = func(deployments.Entry) error {
				if count++; count >= n {
					return crash()
				}
				return nil
			}
		})
	}
	for n := 1; n <= exposes; n++ {
		check("after effect", n, func(w *world, crash func() error) {
			w.onCall = func(i int) error {
				if i >= n {
					return crash()
				}
				return nil
			}
		})
	}
}

func TestReleasesWaitTheirTurnWhereThePolicySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy += "on_new_release: queue\n"
		w.verdict = failsAt(2500)
		w.release("1.1.0")
		w.run("one", 90*time.Second)
		for _, v := range []string{"1.2.0", "1.3.0"} {
			if a := w.release(v); a != deployments.Queues {
				t.Errorf("%s: %s", v, a)
			}
		}
		w.run("one", 2*time.Hour)
		w.replay()
		var ends []string
		for _, e := range w.events() {
			if e.Name == "rollout.promoted" || e.Name == "rollout.restored" {
				ends = append(ends, e.Data.Version+" "+e.Name)
			}
		}
		want := []string{"1.1.0 rollout.restored", "1.2.0 rollout.promoted", "1.3.0 rollout.promoted"}
		if diff := cmp.Diff(want, ends); diff != "" {
			t.Errorf("ends (-want +got):\n%s", diff)
		}
	})
}

func TestAReleaseIsTurnedAwayWhereThePolicySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy += "on_new_release: refuse\n"
		w.release("1.1.0")
		w.run("one", 90*time.Second)
		_, err := w.worker("intake").Accept(t.Context(), deployments.Release{Slot: slot, ID: "id-1.2.0", Version: "1.2.0"})
		if deployments.Refusal(err) != "busy" || !strings.Contains(err.Error(), "1.1.0 is under way") {
			t.Errorf("a release in the middle of another: %v", err)
		}
		w.run("one", time.Hour)
		if e := w.last(); e.State.Stable != "1.1.0" {
			t.Errorf("stable %q", e.State.Stable)
		}
	})
}
