package steps_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// alerts is what Prometheus does with the series of an alerting rule, written down as its manual says it.
type alerts struct {
	wait, keep time.Duration
	active     map[string]time.Time // since when
	fired      map[string]bool
	cleared    map[string]time.Time
}

func (a *alerts) evaluate(at time.Time, failing []string) (firing bool) {
	for key := range a.active {
		if slices.Contains(failing, key) {
			delete(a.cleared, key)
			continue
		}
		if _, ok := a.cleared[key]; !ok {
			a.cleared[key] = at
		}
		if !a.fired[key] || at.Sub(a.cleared[key]) >= a.keep {
			delete(a.active, key)
			delete(a.fired, key)
			delete(a.cleared, key)
		}
	}
	for _, key := range failing {
		if _, ok := a.active[key]; !ok {
			a.active[key] = at
		}
		a.fired[key] = a.fired[key] || at.Sub(a.active[key]) >= a.wait
	}
	return len(a.fired) > 0 && slices.ContainsFunc(slices.Collect(keys(a.fired)), func(k string) bool { return a.fired[k] })
}

func keys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestARuleWithAForOfEachSeriesFailsWhenPrometheusWouldFire drives both with the same readings.
func TestARuleWithAForOfEachSeriesFailsWhenPrometheusWouldFire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rules.Tolerance{Rule: "alert", OnFail: rules.Rollback, PerSeries: true, AlertAfter: time.Hour, OutageAlertAfter: time.Hour,
			For: time.Duration(rapid.IntRange(0, 4).Draw(t, "for")) * 20 * time.Second}
		p := plan()
		p.Rules, p.ReadyWithin = []rules.Tolerance{rule}, 0
		now := epoch
		r, err := steps.NewRollout("r1", "production", "checkout", "1.1.0", "1.0.0", p, now)
		if err != nil {
			t.Fatal(err)
		}
		r, _ = r.Next(now, steps.Tick{})
		r, _ = r.Next(now, steps.Applied{Seq: r.Seq, Target: steps.Traffic, Observed: r.Want, Confirmed: true})
		prom := &alerts{wait: rule.For, active: map[string]time.Time{}, fired: map[string]bool{}, cleared: map[string]time.Time{}}
		for range 12 {
			now = now.Add(30 * time.Second)
			j := analysis.Judgement{Rule: "alert", Verdict: analysis.Healthy, Reading: analysis.Reading{At: now}}
			for _, key := range []string{"a", "b", "c"} {
				if rapid.IntRange(0, 3).Draw(t, fmt.Sprint(key, " fails")) > 0 {
					j.Verdict, j.Failing = analysis.Unhealthy, append(j.Failing, key)
				}
			}
			want := prom.evaluate(now, j.Failing)
			r, _ = r.Next(now, steps.Measured{At: now, Seq: r.Seq, Verdicts: []analysis.Judgement{j}})
			if got := r.Failure != nil; got != want {
				t.Fatalf("after %s failing %v the rollout turned back: %t, Prometheus fires: %t", now.Sub(epoch), j.Failing, got, want)
			}
			if want {
				return
			}
		}
	})
}

// TestAnAlertKeepsHoldingWhileItKeepsFiring shows keep_firing_for where it matters: a rule that holds.
func TestAnAlertKeepsHoldingWhileItKeepsFiring(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rules.Tolerance{Rule: "alert", OnFail: rules.Hold, PerSeries: true, AlertAfter: time.Hour, OutageAlertAfter: time.Hour,
			For: time.Duration(rapid.IntRange(0, 3).Draw(t, "for")) * 20 * time.Second, KeepFiring: time.Duration(rapid.IntRange(0, 4).Draw(t, "keep")) * 20 * time.Second}
		p := plan()
		p.Rules, p.ReadyWithin = []rules.Tolerance{rule}, 0
		p.Steps[0].Bake = time.Hour
		now := epoch
		r, err := steps.NewRollout("r1", "production", "checkout", "1.1.0", "1.0.0", p, now)
		if err != nil {
			t.Fatal(err)
		}
		r, _ = r.Next(now, steps.Tick{})
		r, _ = r.Next(now, steps.Applied{Seq: r.Seq, Target: steps.Traffic, Observed: r.Want, Confirmed: true})
		prom := &alerts{wait: rule.For, keep: rule.KeepFiring, active: map[string]time.Time{}, fired: map[string]bool{}, cleared: map[string]time.Time{}}
		for range 12 {
			now = now.Add(30 * time.Second)
			j := analysis.Judgement{Rule: "alert", Verdict: analysis.Healthy, Reading: analysis.Reading{At: now}}
			for _, key := range []string{"a", "b"} {
				if rapid.Bool().Draw(t, fmt.Sprint(key, " fails")) {
					j.Verdict, j.Failing = analysis.Unhealthy, append(j.Failing, key)
				}
			}
			firing := prom.evaluate(now, j.Failing)
			r, _ = r.Next(now, steps.Measured{At: now, Seq: r.Seq, Verdicts: []analysis.Judgement{j}})
			if want := firing || len(j.Failing) > 0; (r.Hold != nil) != want {
				t.Fatalf("after %s failing %v it holds: %t, want %t", now.Sub(epoch), j.Failing, r.Hold != nil, want)
			}
		}
	})
}
