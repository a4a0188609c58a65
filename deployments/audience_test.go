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

var testers = steps.Audience{{"email": {"*@example.com"}}}

// testersFirst lets the policy begin with testers, and widens it by a region later.
func (w *world) testersFirst() {
	w.policy = strings.Replace(w.policy, "steps: [{weight: 5, bake: 1m}, {weight: 25, bake: 1m}",
		`steps: [{audience: {email: "*@example.com"}, bake: 1m}, {weight: 5, bake: 1m}, {weight: 25, bake: 1m, audience: {region: [eu, us]}}`, 1)
}

// gets is the variant of a user with that attribute, who has no targeting key.
func (w *world) gets(name, value string) string {
	f, _, err := w.flags.Get(w.t.Context(), "production.checkout-version")
	if err != nil {
		w.t.Fatal(err)
	}
	return f.Evaluate(map[string]any{name: value}, time.Now).Variant
}

func TestTestersSeeAReleaseBeforeAnyShareAndALaterStepWidensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.testersFirst()
		var seen []string
		w.verdict = func(version string, share int) analysis.Judgement {
			if version != "1.1.0" {
				return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
			}
			now := fmt.Sprintf("%d: tester %s, european %s, other %s", share, w.gets("email", "ana@example.com"), w.gets("region", "eu"), w.gets("email", "ana@example.org"))
			if len(seen) == 0 || seen[len(seen)-1] != now {
				seen = append(seen, now)
			}
			if share == 0 {
				return analysis.Judgement{Verdict: analysis.Inconclusive, Data: true, Reason: "3 of 50 requests"}
			}
			return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
		}
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.replay()
		if r := w.last().State.Rollout; r.Outcome != steps.Promoted {
			t.Errorf("%s: %s", r.Phase, w.last().Note)
		}
		want := []string{
			"0: tester 1.1.0, european 1.0.0, other 1.0.0", "500: tester 1.1.0, european 1.0.0, other 1.0.0",
			"2500: tester 1.1.0, european 1.1.0, other 1.0.0", "10000: tester 1.1.0, european 1.1.0, other 1.1.0",
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("who sees it (-want +got):\n%s", diff)
		}
		w.toldOfTesters()
	})
}

// toldOfTesters looks at what the events, the summary and the explanation say of the step without a share.
func (w *world) toldOfTesters() {
	w.t.Helper()
	events := w.events()
	told := func(name string) deployments.EventData {
		i := slices.IndexFunc(events, func(e deployments.Event) bool { return e.Name == name })
		if i < 0 {
			w.t.Fatalf("%s is missing in %v", name, names(events))
		}
		return events[i].Data
	}
	if d := told("traffic.requested"); d.Percent != 0 || !cmp.Equal(d.Audience, testers) {
		w.t.Errorf("requested %v %% and %v", d.Percent, d.Audience)
	}
	if d := told("traffic.confirmed"); !cmp.Equal(d.ConfirmedAudience, testers) || d.Step != 1 {
		w.t.Errorf("confirmed step %d for %v", d.Step, d.ConfirmedAudience)
	}
	if d := told("step.passed"); d.Step != 1 || d.Percent != 0 || !cmp.Equal(d.Audience, testers) || d.Reason != "not unhealthy for audience email=*@example.com, however few" {
		w.t.Errorf("passed step %d with %v: %s", d.Step, d.Audience, d.Reason)
	}
	if n := strings.Count(strings.Join(names(events), " "), "step.passed"); n != 3 {
		w.t.Errorf("%d steps were passed on the way, want 3", n)
	}
	x := deployments.Explain(w.journal.Entries())
	if s := x.Summary; len(s.Audience) != 2 || !slices.Equal(s.Confirmed, []float64{5, 25, 100}) {
		w.t.Errorf("summary: reached %v and %v", s.Confirmed, s.Audience)
	}
	if !slices.ContainsFunc(x.Moments, func(m deployments.Moment) bool { return m.Decides && m.Step == 1 && cmp.Equal(m.Audience, testers) }) {
		w.t.Error("nothing explains why the testers' step was left")
	}
}

func TestWhatFailsForTestersIsTakenBackFromThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.testersFirst()
		w.verdict = func(version string, share int) analysis.Judgement {
			if version == "1.1.0" {
				return analysis.Judgement{Verdict: analysis.Unhealthy, Data: true, Reason: "60 % > 5 %"}
			}
			return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
		}
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.replay()
		r := w.last().State.Rollout
		if r.Outcome != steps.Restored || r.Exposes() || r.ConfirmedAudience != nil || w.gets("email", "ana@example.com") != "1.0.0" {
			t.Errorf("%s %s with %s; a tester gets %s", r.Phase, r.Outcome, r.Requested(), w.gets("email", "ana@example.com"))
		}
		i := slices.IndexFunc(w.events(), func(e deployments.Event) bool { return e.Name == "rollout.failed" })
		if i < 0 || !cmp.Equal(w.events()[i].Data.FromAudience, testers) {
			t.Errorf("events %v do not say from whom it was taken back", names(w.events()))
		}
	})
}

func TestOnlyTheDeployersWordConfirmsAnAudience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.testersFirst()
		w.policy = strings.Replace(w.policy, "{version_flag: checkout-version}", "{event: deployer, tolerance: 5%}", 1) + "first_release: allow\n"
		w.share = func() (float64, bool) { return 0, true } // the testers are silent: that confirms neither step nor way back
		w.release("1.1.0")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.worker("one").Run(ctx) }()
		ack := func() {
			t.Helper()
			time.Sleep(5 * time.Minute)
			r, none := w.last().State.Rollout, 0.0
			if r.Phase != steps.Shifting && r.Phase != steps.Reverting {
				t.Errorf("%s before the acknowledgement: %s", r.Phase, w.last().Note)
			}
			for range 2 { // the second one is welcome too
				if _, err := w.worker("other").Acknowledge(ctx, slot, deployments.Ack{Rollout: r.ID, Seq: r.Seq, Percent: &none}); err != nil {
					t.Errorf("acknowledgement in %s: %v", r.Phase, err)
				}
			}
		}
		ack()
		if r := w.last().State.Rollout; r.Phase != steps.Baking || r.FirstExposed.IsZero() {
			t.Errorf("%s, exposed at %v", r.Phase, r.FirstExposed)
		}
		if _, err := w.worker("other").Order(ctx, slot, steps.Command{Verb: steps.Abort, By: "ada"}); err != nil {
			t.Error(err)
		}
		ack()
		if r := w.last().State.Rollout; r.Outcome != steps.Restored {
			t.Errorf("%s %s: %s", r.Phase, r.Outcome, w.last().Note)
		}
		cancel()
		<-done
	})
}
