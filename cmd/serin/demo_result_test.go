package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// noon is when the rollouts of these tests begin.
func noon() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

// after is so many seconds after noon.
func after(seconds float64) time.Time {
	return noon().Add(time.Duration(seconds * float64(time.Second)))
}

func number(f float64) *analysis.Number {
	n := analysis.Number(f)
	return &n
}

// errorRate is a reading of the demo's first rule.
func errorRate(v analysis.Verdict, value float64, reason string) analysis.Judgement {
	return analysis.Judgement{Rule: "error-rate", Verdict: v, Reason: reason, Reading: analysis.Reading{
		At: after(10), BadQuery: `bad{v="1"}`, TotalQuery: `total{v="1"}`, Value: number(value), Limit: number(0.05), Samples: number(412.4), Total: number(412.4), Stable: number(0),
	}}
}

// journalOf is a journal of one version, an entry for each state. The first is of another version.
func journalOf(evidence []analysis.Judgement, states ...steps.Rollout) []deployments.Entry {
	entries := []deployments.Entry{{At: noon(), State: deployments.State{Rollout: &steps.Rollout{Version: "0.9", StepBegan: noon(), Confirmed: steps.All}}}}
	for i, r := range states {
		r.ID, r.Version = "shop-1.2.0-x", "1.2.0"
		entries = append(entries, deployments.Entry{At: after(float64(i)), State: deployments.State{Rollout: &r}, Evidence: evidence})
	}
	return entries
}

func TestAReleaseIsReadFromItsJournal(t *testing.T) {
	at := func(step int, s steps.Share) steps.Rollout {
		return steps.Rollout{Phase: steps.Baking, Step: step, Want: s, Confirmed: s, StepBegan: after(float64(step))}
	}
	back := func(confirmed time.Time) steps.Rollout {
		r := at(1, 2500)
		r.Failure = &steps.FailureState{Cause: steps.ByRules, Rules: []string{"error-rate"}, Reason: "too many",
			Actions: []steps.ActionState{{Action: steps.Action{Kind: steps.RollbackAction}, Confirmed: confirmed}}}
		return r
	}
	promoted, restored := at(1, 2500), back(after(3.021))
	promoted.Outcome, restored.Outcome, restored.Cause = steps.Promoted, steps.Restored, steps.ByRules
	failing := errorRate(analysis.Unhealthy, 0.18, "")
	failed := demoFailure{FailedRule: "error-rate", Value: number(0.18), Limit: number(0.05), Samples: number(412.4), Stable: number(0), Reason: "too many",
		At: after(10), Queries: []string{`bad{v="1"}`, `total{v="1"}`}, Decided: after(3)}
	confirmed, lost := failed, demoFailure{FailedRule: "error-rate", Reason: "too many", Queries: []string{}, Decided: after(3)}
	confirmed.FlagConfirmed, confirmed.Confirmed = true, after(3.021)
	tests := map[string]struct {
		entries []deployments.Entry
		want    demoRelease
	}{
		"nothing is known of it": {nil, demoRelease{Weights: []float64{}}},
		"promoted": {journalOf(nil, steps.Rollout{}, at(0, 500), at(0, 500), at(1, 2500), promoted),
			demoRelease{Weights: []float64{5, 25}, Rollout: "shop-1.2.0-x", Outcome: "promoted"}},
		"taken back": {journalOf([]analysis.Judgement{failing}, steps.Rollout{}, at(0, 500), at(1, 2500), back(time.Time{}), back(after(3.021)), restored),
			demoRelease{Weights: []float64{5, 25}, Rollout: "shop-1.2.0-x", Outcome: "restored", Cause: "rules", demoFailure: &confirmed}},
		"not confirmed": {journalOf([]analysis.Judgement{failing}, steps.Rollout{}, at(0, 500), at(1, 2500), back(time.Time{})),
			demoRelease{Weights: []float64{5, 25}, Rollout: "shop-1.2.0-x", demoFailure: &failed}},
		"without evidence": {journalOf(nil, steps.Rollout{}, at(0, 500), at(1, 2500), back(time.Time{})),
			demoRelease{Weights: []float64{5, 25}, Rollout: "shop-1.2.0-x", demoFailure: &lost}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.want.Version = "1.2.0"
			if diff := cmp.Diff(tt.want, releaseOf("1.2.0", tt.entries), cmp.AllowUnexported(demoRelease{}), cmpopts.IgnoreUnexported(demoFailure{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyWhatFitsTheFaultIsOK(t *testing.T) {
	weights := []float64{5, 25, 50, 100}
	good := demoRelease{Version: "1.1.0", Outcome: "promoted", Weights: weights}
	bad := func(change func(*demoRelease)) []demoRelease {
		r := demoRelease{Version: "1.2.0", Outcome: "restored", Cause: "rules", Weights: []float64{5, 25},
			demoFailure: &demoFailure{FlagConfirmed: true, Off: noon(), RollbackEvent: true, SlackAlert: true, faultBegan: noon()}}
		change(&r)
		return []demoRelease{good, r, good}
	}
	asIs := func(*demoRelease) {}
	tests := map[string]struct {
		fault    string
		releases []demoRelease
		want     string // part of the reason; "": as expected
	}{
		"errors, taken back":              {"errors", bad(asIs), ""},
		"errors, promoted":                {"errors", []demoRelease{good, good, good}, "was to be taken back"},
		"none, promoted":                  {"none", []demoRelease{good, good, good}, ""},
		"none, taken back":                {"none", bad(asIs), "1.2.0 was to be promoted and is restored (rules)"},
		"crash, by rules":                 {"crash", bad(asIs), ""},
		"crash, by lost data":             {"crash", bad(func(r *demoRelease) { r.Cause = "lost_data" }), ""},
		"errors, by lost data":            {"errors", bad(func(r *demoRelease) { r.Cause = "lost_data" }), "the cause is lost_data"},
		"by a person":                     {"errors", bad(func(r *demoRelease) { r.Cause = "person" }), "the cause is person"},
		"not confirmed":                   {"errors", bad(func(r *demoRelease) { r.FlagConfirmed = false }), "not confirmed off"},
		"not come to the application":     {"errors", bad(func(r *demoRelease) { r.Off = time.Time{} }), "not seen without it"},
		"no event":                        {"errors", bad(func(r *demoRelease) { r.RollbackEvent = false }), "no rollback event"},
		"no alert":                        {"errors", bad(func(r *demoRelease) { r.SlackAlert = false }), "no Slack alert"},
		"requests after the switch":       {"errors", bad(func(r *demoRelease) { r.CanaryAfterOff = 3 }), "3 requests came"},
		"before its fault began":          {"errors", bad(func(r *demoRelease) { r.faultBegan = time.Time{} }), "before its fault began"},
		"nothing on record":               {"errors", bad(func(r *demoRelease) { r.demoFailure = nil }), "without a failure on record"},
		"promoted, and a step is missing": {"none", []demoRelease{good, {Version: "1.2.0", Outcome: "promoted", Weights: []float64{5, 100}}, good}, "without all its steps"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := unexpected(tt.fault, tt.releases, weights)
			if got != tt.want && (tt.want == "" || !strings.Contains(got, tt.want)) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheSwitchIsOffWhenItIsConfirmedAndTheApplicationHasIt(t *testing.T) {
	tests := map[string]struct {
		confirmed, began, gone time.Time
		off                    time.Time
		decision, fault        int64
	}{
		"the application is later":          {after(3.010), after(1), after(3.020), after(3.020), 20, 2020},
		"the confirmation is later":         {after(3.010), after(1), after(3.005), after(3.010), 10, 2010},
		"it never came to the application":  {confirmed: after(3.010), began: after(1)},
		"it was never confirmed":            {began: after(1), gone: after(3.005)},
		"there was no fault to be found of": {after(3.010), time.Time{}, after(3.005), after(3.010), 10, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := demoFailure{Decided: after(3), Confirmed: tt.confirmed, FlagConfirmed: !tt.confirmed.IsZero()}
			f.suffered(tt.began, tt.gone)
			if f.Off != tt.off || f.DecisionToOff != tt.decision || f.FaultToOff != tt.fault {
				t.Errorf("off at %v, %d ms after the decision, %d ms after the fault", f.Off, f.DecisionToOff, f.FaultToOff)
			}
		})
	}
}

func TestWhatTheApplicationIsServedIsSeenAfterEachChange(t *testing.T) {
	now, serves := noon(), "1.2.0"
	s := &sight{now: func() time.Time { return now }, which: func(_ context.Context, user string) (string, error) {
		if user == "user-7" {
			return serves, nil
		}
		return "1.1.0", nil
	}}
	s.look(t.Context())
	now = after(1)
	s.look(t.Context())
	now, serves = after(2), "1.1.0"
	s.look(t.Context())
	for from, want := range map[time.Time]time.Time{noon(): after(2), after(2): after(2), after(3): {}} {
		if got := s.goneAt("1.2.0", from); !got.Equal(want) {
			t.Errorf("from %v on it is gone at %v, want %v", from, got, want)
		}
	}
}

func TestAPromotedReleaseHasNoFieldsOfAFailure(t *testing.T) {
	text, err := json.Marshal(demoRelease{Version: "1.1.0", Outcome: "promoted", Weights: []float64{5, 100}, Rollout: "x"})
	if want := `{"version":"1.1.0","outcome":"promoted","cause":"","weights":[5,100],"rollout":"x"}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}
