package deployments_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// countsAt has 1.1.0 fail at a share, with readings that count requests.
func countsAt(share int, total, bad float64) func(string, int) analysis.Judgement {
	fails := failsAt(share)
	return func(version string, at int) analysis.Judgement {
		j := fails(version, at)
		all, failed, stable := analysis.Number(total), analysis.Number(bad), analysis.Number(0.01)
		j.Reading = analysis.Reading{Window: 20 * time.Second, Total: &all, Bad: &failed, Stable: &stable}
		return j
	}
}

func TestASummaryKeepsWhatReportsAreMadeOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy += "value_per_request: 0.5 EUR\n"
		w.verdict = countsAt(2500, 100, 20)
		w.release("1.1.0")
		w.run("one", time.Hour)
		w.policy = strings.ReplaceAll(w.policy, "0.5 EUR", "7 USD") // values later rollouts
		w.release("1.1.1")
		w.run("one", time.Hour)

		bad := w.summarized("1.1.0")
		var first, decided, off deployments.Entry // by the journal
		for _, e := range w.entriesOf("1.1.0") {
			r := e.State.Rollout
			if first.Rev == 0 && !r.Rules[0].FailingSince.IsZero() {
				first = e
			}
			if decided.Rev == 0 && r.Failure != nil {
				decided = e
			}
			if off.Rev == 0 && r.Failure != nil && r.Confirmed == 0 {
				off = e
			}
		}
		want := &deployments.Fault{Since: first.Evidence[0].Reading.At, Off: off.At, Counts: []deployments.Count{
			{Rule: "errors", At: decided.Evidence[0].Reading.At, Window: 20, Total: 100, Bad: 20, Stable: new(0.01)}}}
		if diff := cmp.Diff(want, bad.Fault); diff != "" || !want.Since.Before(decided.At) || want.Off.Before(decided.At) {
			t.Errorf("fault: want -, got +:\n%s", diff)
		}
		shares := []float64{}
		for _, tr := range bad.Traffic {
			shares = append(shares, tr.Percent)
		}
		if !slices.Equal(shares, []float64{0, 5, 25, 0}) || bad.Step != "25 %" || bad.Accounts.Value.String() != "0.5 EUR" {
			t.Errorf("%v, turned back in %s, %+v", shares, bad.Step, bad.Accounts)
		}
		a := deployments.NewAccount(bad)
		interval := want.Off.Sub(want.Since).Seconds()
		if math.Abs(a.Exposure.Met-interval/4) > 1e-9 || a.Requests.Rate < 20 || a.Requests.Rate > 100 || a.Loss.Currency != "EUR" {
			t.Errorf("%+v, %+v, %+v of %v s", a.Exposure, a.Requests, a.Loss, interval)
		}

		good := w.summarized("1.1.1")
		if good.Fault != nil || good.Accounts.Value.String() != "7 USD" {
			t.Errorf("%+v, %+v", good.Fault, good.Accounts)
		}
		others := append(w.entriesOf("1.1.0"), w.entriesOf("1.1.1")...)
		if again, _ := deployments.Summarize(others); !cmp.Equal(bad, again) {
			t.Errorf("with other entries: want -, got +:\n%s", cmp.Diff(bad, again))
		}
	})
}

// entry is one of a rollout in a state, seconds after noon.
func entry(second float64, r steps.Rollout) deployments.Entry {
	return deployments.Entry{Slot: slot, Rollout: r.ID, At: after(second), State: deployments.State{Rollout: &r}}
}

func TestTheLargerShareCountsUntilTheSmallerIsConfirmed(t *testing.T) {
	failure := func(f steps.FailureState, actions ...steps.ActionState) *steps.FailureState {
		f.Cause, f.At, f.FromShare, f.Rules, f.Actions = steps.ByRules, after(20), steps.Percent(25), []string{"errors"}, actions
		return &f
	}
	rollback := steps.ActionState{Action: steps.Action{Kind: steps.RollbackAction}, Began: after(20)}
	confirmed := rollback
	confirmed.Confirmed = after(26)
	feature := steps.ActionState{Action: steps.Action{Kind: steps.FlagOff, Key: "f"}, Confirmed: after(22)}
	failing := []steps.RuleState{{Rule: "other", FailingSince: after(1)}, {Rule: "errors", FailingSince: after(12)}}
	up := []deployments.Entry{
		entry(0, steps.Rollout{ID: "r"}),
		entry(1, steps.Rollout{ID: "r", Want: steps.Percent(5)}),
		entry(5, steps.Rollout{ID: "r", Want: steps.Percent(5), Confirmed: steps.Percent(5)}),
		entry(10, steps.Rollout{ID: "r", Want: steps.Percent(25), Confirmed: steps.Percent(5)}), // not confirmed before it fails
	}
	tests := []struct {
		name  string
		more  []deployments.Entry
		off   float64
		known bool
		met   float64 // from 12 to off
	}{
		{"until the rollback is confirmed", []deployments.Entry{
			entry(20, steps.Rollout{ID: "r", Confirmed: steps.Percent(5), Rules: failing, Failure: failure(steps.FailureState{}, rollback)}),
			entry(26, steps.Rollout{ID: "r", Rules: failing, Failure: failure(steps.FailureState{}, confirmed)}),
		}, 26, true, 3.5},
		{"not confirmed yet", []deployments.Entry{
			entry(20, steps.Rollout{ID: "r", Confirmed: steps.Percent(5), Rules: failing, Failure: failure(steps.FailureState{}, rollback)}),
		}, 0, false, 0},
		{"a feature that helped", []deployments.Entry{
			entry(20, steps.Rollout{ID: "r", Want: steps.Percent(25), Confirmed: steps.Percent(5), Rules: failing, Failure: failure(steps.FailureState{}, feature)}),
			entry(40, steps.Rollout{ID: "r", Want: steps.Percent(25), Failure: failure(steps.FailureState{Restored: after(40)}, feature)}),
		}, 22, true, 2.5},
		{"a feature that did not help", []deployments.Entry{
			entry(20, steps.Rollout{ID: "r", Want: steps.Percent(25), Confirmed: steps.Percent(5), Rules: failing, Failure: failure(steps.FailureState{}, feature)}),
			entry(26, steps.Rollout{ID: "r", Failure: failure(steps.FailureState{}, feature, confirmed)}),
		}, 26, true, 3.5},
		{"a feature that nobody saw help", []deployments.Entry{
			entry(20, steps.Rollout{ID: "r", Want: steps.Percent(25), Confirmed: steps.Percent(5), Rules: failing, Failure: failure(steps.FailureState{}, feature)}),
		}, 0, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := deployments.Summarize(slices.Concat(up, tt.more))
			if s.Fault == nil || !s.Fault.Since.Equal(after(12)) || s.Fault.Off.IsZero() == tt.known || tt.known && !s.Fault.Off.Equal(after(tt.off)) {
				t.Fatalf("%+v", s.Fault)
			}
			if !tt.known {
				return
			}
			if met, ok := deployments.Met(s.Traffic, s.Fault.Since, s.Fault.Off); !ok || math.Abs(met-tt.met) > 1e-9 {
				t.Errorf("%v s of all traffic, want %v: %+v", met, tt.met, s.Traffic)
			}
		})
	}
}

// What is left of the entries when the decision is purged says nothing of the fault.
func TestAFaultWhoseDecisionIsPurgedIsUnknown(t *testing.T) {
	r := steps.Rollout{ID: "r", Rules: []steps.RuleState{{Rule: "errors", FailingSince: after(1)}},
		Failure: &steps.FailureState{Cause: steps.ByRules, Rules: []string{"errors"}, At: after(2)}}
	if s, _ := deployments.Summarize([]deployments.Entry{entry(3, r)}); s.Fault != nil {
		t.Errorf("%+v", s.Fault)
	}
}

func TestTrafficBesideAnAudienceIsUnknownBelowAll(t *testing.T) {
	testers := steps.Audience{{"group": {"testers"}}}
	s, _ := deployments.Summarize([]deployments.Entry{
		entry(0, steps.Rollout{ID: "r"}),
		entry(1, steps.Rollout{ID: "r", Want: steps.Percent(5), Audience: testers}),
		entry(0.5, steps.Rollout{ID: "r", Want: steps.All, Confirmed: steps.Percent(5), ConfirmedAudience: testers}), // another worker's clock
	})
	want := []deployments.Traffic{{From: after(0)}, {From: after(1), Percent: 5, Unknown: true}, {From: after(1), Percent: 100}}
	if diff := cmp.Diff(want, s.Traffic); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// A reading of nothing is written as NaN, which no JSON has: the summary must be kept all the same.
func TestReadingsThatAreNoNumbersAreLeftOut(t *testing.T) {
	nan, one := analysis.Number(math.NaN()), analysis.Number(1)
	r := steps.Rollout{ID: "r", Rules: []steps.RuleState{{Rule: "errors", FailingSince: after(1)}},
		Failure: &steps.FailureState{Cause: steps.ByRules, Rules: []string{"errors"}, At: after(2)}}
	e := entry(2, r)
	e.State.Accounts = &deployments.Accounts{Counts: []string{"errors"}}
	e.Evidence = []analysis.Judgement{{Rule: "errors", Reading: analysis.Reading{Window: time.Minute, Total: &nan, Bad: &one, Stable: &nan}}}
	s, _ := deployments.Summarize([]deployments.Entry{e})
	if text, err := json.Marshal(s); err != nil || s.Fault == nil || s.Fault.Counts != nil {
		t.Errorf("%+v, %s, %v", s.Fault, text, err)
	}
}

// The journal of an earlier version has no accounts, its summaries no fault.
func TestWhatEarlierVersionsWroteIsReported(t *testing.T) {
	golden, err := os.ReadFile("testdata/journal.v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var entries []deployments.Entry
	for line := range strings.Lines(string(golden)) {
		var e deployments.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		e.State.Accounts = nil
		entries = append(entries, e)
	}
	s, _ := deployments.Summarize(entries)
	a := deployments.NewAccount(s)
	if a.Fate != deployments.FateTakenBack || a.Exposure == nil || a.Requests != nil {
		t.Errorf("%+v", a)
	}
	var old deployments.Summary
	if err := json.Unmarshal([]byte(`{"environment":"production","service":"checkout","rollout":"r","version":"1.1.0","phase":"ended","outcome":"restored",
		"cause":"rules","failed_rules":["errors"],"confirmed_percent":[5,12.5],"began_at":"2026-11-20T11:00:00Z","turned_back_at":"2026-11-20T11:10:00Z",
		"ended_at":"2026-11-20T11:20:00Z","revs":9}`), &old); err != nil {
		t.Fatal(err)
	}
	r := deployments.NewReport(after(-86400), after(0), []deployments.Summary{old})
	if r.Total.TakenBack != 1 || r.Total.Restore.Known != (deployments.Known{Of: 1}) || r.Rollouts[0].Step != "12.5 %" {
		t.Errorf("%+v", r)
	}
}

// Entries of other rollouts, wherever they stand behind the first of one's own, change nothing; and no course of entries
// makes more of a fault than all traffic for as long as it lasted.
func TestASummaryRestsOnItsOwnEntriesAlone(t *testing.T) {
	golden, err := os.ReadFile("testdata/journal.v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	own := map[string][]deployments.Entry{}
	for line := range strings.Lines(string(golden)) {
		var e deployments.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		own[e.Rollout] = append(own[e.Rollout], e)
	}
	if len(own) != 2 {
		t.Fatalf("%d rollouts, want 2", len(own))
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(own))).Draw(t, "rollout")
		kept := slices.DeleteFunc(slices.Clone(own[id]), func(deployments.Entry) bool { return rapid.IntRange(0, 9).Draw(t, "purged") == 0 })
		want, ok := deployments.Summarize(kept)
		if !ok {
			return
		}
		mixed := slices.Clone(kept)
		for other, entries := range own {
			for _, e := range entries {
				if e.Slot.Service = "other"; other != id {
					mixed = slices.Insert(mixed, rapid.IntRange(1, len(mixed)).Draw(t, "place"), e)
				}
			}
		}
		if got, _ := deployments.Summarize(mixed); !cmp.Equal(want, got) {
			t.Fatalf("want -, got +:\n%s", cmp.Diff(want, got))
		}
		if a := deployments.NewAccount(want); a.Exposure != nil && (a.Exposure.Met < 0 || a.Exposure.Met > a.Exposure.Fault) {
			t.Fatalf("%+v", a.Exposure)
		}
	})
}
