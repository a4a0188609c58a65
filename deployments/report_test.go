package deployments_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

var (
	noon   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	euros  = &deployments.Money{Amount: 0.12, Currency: "EUR"}
	dollar = &deployments.Money{Amount: 1, Currency: "USD"}
)

func after(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

func TestMetTrafficIsTheShareOverTime(t *testing.T) {
	course := []deployments.Traffic{{From: after(0)}, {From: after(10), Percent: 5}, {From: after(70), Percent: 25}, {From: after(100)}}
	audience := []deployments.Traffic{{From: after(0)}, {From: after(10), Percent: 0, Unknown: true}, {From: after(70), Percent: 100}}
	tests := []struct {
		name     string
		course   []deployments.Traffic
		from, to float64
		want     float64
		unknown  bool
	}{
		{"within a step", course, 20, 40, 1, false},               // 20 s x 5 %
		{"over two steps", course, 60, 90, 5.5, false},            // 10 s x 5 % + 20 s x 25 %
		{"to the end of traffic", course, 70, 100, 7.5, false},    // 30 s x 25 %
		{"past the end of traffic", course, 90, 200, 2.5, false},  // 10 s x 25 % + 100 s x 0
		{"from before the first share", course, 0, 20, .5, false}, // 10 s x 5 %
		{"an instant", course, 80, 80, 0, false},
		{"from before what is known", course, -1, 20, 0, true},
		{"backwards", course, 20, 10, 0, true},
		{"nothing known", nil, 0, 10, 0, true},
		{"an audience in it", audience, 60, 80, 0, true},
		{"an audience before it", audience, 70, 80, 10, false},
		{"a share that is none", []deployments.Traffic{{From: after(0), Percent: math.NaN()}}, 0, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, known := deployments.Met(tt.course, after(tt.from), after(tt.to))
			if math.Abs(got-tt.want) > 1e-9 || known == tt.unknown {
				t.Errorf("%v, known %v, want %v", got, known, tt.want)
			}
		})
	}
}

// takenBack is a rollout that failed at 25 %: the first bad reading came 60 s after noon, it was decided after 90 s,
// confirmed after 92 s, and healthy after 180 s. The rule saw 3000 requests in the 60 s before, 600 of them bad.
func takenBack(rollout string, value *deployments.Money) deployments.Summary {
	return deployments.Summary{
		Slot: slot, Rollout: rollout, Version: "1.1.0", Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, Rules: []string{"errors"},
		Began: after(-600), Exposed: after(-590), Turned: after(90), Restored: after(180), Ended: after(180), Step: "25 %", Confirmed: []float64{5, 25},
		Traffic: []deployments.Traffic{{From: after(-600)}, {From: after(-590), Percent: 5}, {From: after(0), Percent: 25}, {From: after(92)}},
		Fault: &deployments.Fault{Since: after(60), Off: after(92),
			Counts: []deployments.Count{{Rule: "errors", At: after(90), Window: 60, Total: 3000, Bad: 600}}},
		Accounts: &deployments.Accounts{Value: value, Counts: []string{"errors"}},
	}
}

func promoted(rollout string, lead float64) deployments.Summary {
	return deployments.Summary{Slot: slot, Rollout: rollout, Version: "1.0.0", Phase: steps.Ended, Outcome: steps.Promoted,
		Released: after(-lead), Began: after(1 - lead), Ended: after(0)}
}

// By hand: the fault lasted 92 - 60 = 32 s at 25 %: 8 s of all traffic, 24 s avoided. 3000 requests in 60 s at 25 % are
// 200 a second in all: 4800 requests avoided, of which 20 % would have failed: 960, worth 960 x 0.12 = 115.20.
func TestARollbackIsAccountedAsWorkedOutByHand(t *testing.T) {
	got := deployments.NewAccount(takenBack("r", euros))
	want := deployments.Account{Slot: slot, Rollout: "r", Version: "1.1.0", Ended: after(180), Fate: deployments.FateTakenBack, Cause: steps.ByRules,
		Step: "25 %", Rules: []string{"errors"}, Decide: new(30.0), Restore: new(32.0), Healthy: new(120.0),
		Exposure: &deployments.Exposure{Fault: 32, Met: 8, Avoided: 24},
		Requests: &deployments.Requests{Rule: "errors", Rate: 200, Avoided: 4800, Failed: 960},
		Loss:     &deployments.Money{Amount: 115.2, Currency: "EUR"}}
	if diff := cmp.Diff(want, got, exact); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestWhatIsNotKnownIsNotGuessed(t *testing.T) {
	tests := []struct {
		name                      string
		change                    func(s *deployments.Summary)
		restore, exposure, counts bool
		failed                    float64
	}{
		{"all is known", func(*deployments.Summary) {}, true, true, true, 960},
		{"a summary of an earlier version", func(s *deployments.Summary) { s.Fault, s.Traffic, s.Accounts = nil, nil, nil }, false, false, false, 0},
		{"the way back is not confirmed", func(s *deployments.Summary) { s.Fault.Off = time.Time{} }, false, false, false, 0},
		{"clocks in the wrong order", func(s *deployments.Summary) { s.Fault.Off = after(59) }, false, false, false, 0},
		{"an audience had it besides", func(s *deployments.Summary) { s.Traffic[2].Unknown = true }, true, false, false, 0},
		{"no rule counts", func(s *deployments.Summary) { s.Fault.Counts = nil }, true, true, false, 0},
		{"no traffic in the window", func(s *deployments.Summary) { s.Fault.Counts[0].At = after(-600) }, true, true, false, 0},
		{"a window over two shares", func(s *deployments.Summary) { s.Fault.Counts[0].At = after(30) }, true, true, true, 1600}, // 3000 / (1.5 + 7.5) x 24 x 0.2
		{"stable fails as well", func(s *deployments.Summary) { s.Fault.Counts[0].Stable = new(.05) }, true, true, true, 720},
		{"stable fails more", func(s *deployments.Summary) { s.Fault.Counts[0].Stable = new(.5) }, true, true, true, 0},
		{"more failures than requests", func(s *deployments.Summary) { s.Fault.Counts[0].Bad = 9000 }, true, true, true, 4800},
		{"two rules count", func(s *deployments.Summary) {
			s.Fault.Counts = append(s.Fault.Counts, deployments.Count{Rule: "slow", At: after(90), Window: 60, Total: 3000, Bad: 900})
		}, true, true, true, 1440},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := takenBack("r", euros)
			tt.change(&s)
			a := deployments.NewAccount(s)
			if (a.Restore != nil) != tt.restore || (a.Exposure != nil) != tt.exposure || (a.Requests != nil) != tt.counts || (a.Loss != nil) != tt.counts {
				t.Fatalf("%+v", a)
			}
			if tt.counts && math.Abs(a.Requests.Failed-tt.failed) > 1e-6 {
				t.Errorf("%v failed requests, want %v", a.Requests.Failed, tt.failed)
			}
		})
	}
}

// The stream that takes releases has a clock of its own.
func TestLeadTimeBeginsAtTheReleaseEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		released time.Time
		want     float64
	}{
		"that waited for the slot": {after(-900), 900}, "of an unknown time": {time.Time{}, 600}, "by a clock that is ahead": {after(-500), 600},
	} {
		a := deployments.NewAccount(deployments.Summary{Phase: steps.Ended, Outcome: steps.Promoted, Released: tt.released, Began: after(-600), Ended: after(0)})
		if a.Lead == nil || *a.Lead != tt.want {
			t.Errorf("%s: %v, want %v", name, a.Lead, tt.want)
		}
	}
}

func TestAReportCountsAndSums(t *testing.T) {
	ended := func(rollout string, o steps.Outcome, c steps.Cause) deployments.Summary {
		return deployments.Summary{Slot: slot, Rollout: rollout, Phase: steps.Ended, Outcome: o, Cause: c, Ended: after(0)}
	}
	other := takenBack("e", dollar)
	other.Service = "cart"
	late, early, live := promoted("late", 1), promoted("early", 1), promoted("live", 1)
	late.Ended, early.Ended, live.Phase, live.Outcome, live.Ended = after(3601), after(-86401), steps.Reverting, steps.RestoreUnconfirmed, time.Time{}
	old := ended("old", steps.Restored, steps.ByLostData)
	old.Confirmed = []float64{5}
	all := []deployments.Summary{
		promoted("a", 1000), promoted("b", 3000), promoted("c", 2000), promoted("d", 9000), takenBack("f", euros), takenBack("f", euros), other,
		ended("g", steps.Restored, steps.ByHoldTimeout), old, late, early, live, ended("h", steps.Restored, steps.ByPerson),
		ended("i", steps.Restored, steps.BySuperseded), ended("j", steps.NeverExposed, steps.NotReady), ended("k", steps.NeverExposed, steps.ByPerson),
		ended("l", "of", "tomorrow"),
	}
	r := deployments.NewReport(after(-86400), after(3600), all)
	want := deployments.Figures{
		Releases: 13, Promoted: 4, TakenBack: 4, Causes: map[steps.Cause]int{steps.ByRules: 2, steps.ByHoldTimeout: 1, steps.ByLostData: 1},
		Steps: []deployments.AtStep{{Rollouts: 1}, {Step: "5 %", Rollouts: 1}, {Step: "25 %", Rollouts: 2}},
		Apart: map[deployments.Fate]int{deployments.FateAborted: 1, deployments.FateSuperseded: 1, deployments.FateNotReady: 1,
			deployments.FateNeverExposed: 1, deployments.FateOther: 1},
		UnderWay: 1, Unconfirmed: 1, FailureRate: new(.5),
		Lead:     deployments.Times{Known: deployments.Known{Known: 4, Of: 4}, Median: new(2500.0), P90: new(9000.0)},
		Decide:   deployments.Times{Known: deployments.Known{Known: 2, Of: 3}, Median: new(30.0), P90: new(30.0)},
		Restore:  deployments.Times{Known: deployments.Known{Known: 2, Of: 3}, Median: new(32.0), P90: new(32.0)},
		Healthy:  deployments.Times{Known: deployments.Known{Known: 2, Of: 3}, Median: new(120.0), P90: new(120.0)},
		Exposure: deployments.Exposures{Known: deployments.Known{Known: 2, Of: 3}, Exposure: deployments.Exposure{Fault: 64, Met: 16, Avoided: 48}, Mean: new(.25)},
		Requests: deployments.RequestSums{Known: deployments.Known{Known: 2, Of: 3}, Avoided: 9600, Failed: 1920},
		Loss:     deployments.Losses{Known: deployments.Known{Known: 2, Of: 3}, Amounts: []deployments.Money{{Amount: 115.2, Currency: "EUR"}, {Amount: 960, Currency: "USD"}}},
	}
	if diff := cmp.Diff(want, r.Total, exact); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if len(r.Services) != 2 || r.Services[0].Service != "cart" || r.Services[0].Releases != 1 || len(r.Rollouts) != 13 {
		t.Errorf("services %+v, %d rollouts", r.Services, len(r.Rollouts))
	}
	slices.Reverse(all)
	if diff := cmp.Diff(r, deployments.NewReport(after(-86400), after(3600), all), exact); diff != "" {
		t.Errorf("in another order: want -, got +:\n%s", diff)
	}
}

// exact compares figures to the last digit that matters, and leaves out how they are made.
var exact = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a)) }),
	cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && (f.Name() == "all" || f.Name() == "faulty")
	}, cmp.Ignore()),
}

func TestAnEmptyReportHasNoFigures(t *testing.T) {
	r := deployments.NewReport(after(0), after(1), nil)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Total.FailureRate != nil || r.Total.Lead.Median != nil || r.Total.Exposure.Mean != nil || r.Services == nil || r.Rollouts == nil {
		t.Errorf("%s", text)
	}
}

func drawSummary(t *rapid.T) deployments.Summary {
	s := takenBack(rapid.StringMatching(`[a-z]{4}`).Draw(t, "id"), rapid.SampledFrom([]*deployments.Money{nil, euros, dollar}).Draw(t, "value"))
	s.Service = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "service")
	s.Cause = rapid.SampledFrom([]steps.Cause{steps.ByRules, steps.ByLostData, steps.ByHoldTimeout, steps.ByPerson}).Draw(t, "cause")
	s.Outcome = rapid.SampledFrom([]steps.Outcome{steps.Restored, steps.Promoted, steps.NeverExposed}).Draw(t, "outcome")
	s.Fault.Since = after(rapid.Float64Range(-700, 100).Draw(t, "since"))
	s.Fault.Off = after(rapid.Float64Range(-700, 200).Draw(t, "off"))
	s.Fault.Counts[0].Bad = rapid.Float64Range(0, 4000).Draw(t, "bad")
	s.Fault.Counts[0].Window = rapid.Float64Range(0, 900).Draw(t, "window")
	s.Traffic = rapid.SliceOf(rapid.Custom(func(t *rapid.T) deployments.Traffic {
		return deployments.Traffic{From: after(rapid.Float64Range(-800, 100).Draw(t, "from")), Percent: rapid.Float64Range(-1, 101).Draw(t, "percent"),
			Unknown: rapid.IntRange(0, 9).Draw(t, "audience") == 0}
	})).Draw(t, "course") // in any order
	return s
}

func TestFiguresHaveTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.Custom(drawSummary)).Draw(t, "summaries")
		r := deployments.NewReport(after(-1e6), after(1e6), all)
		sums := deployments.Figures{}
		for _, s := range r.Services {
			sums.Releases += s.Releases
			sums.TakenBack += s.TakenBack
			sums.Exposure.Met += s.Exposure.Met
			sums.Exposure.Avoided += s.Exposure.Avoided
			sums.Requests.Failed += s.Requests.Failed
			sums.Loss.Known.Known += s.Loss.Known.Known
		}
		sum := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a)) }
		if sums.Releases != r.Total.Releases || sums.TakenBack != r.Total.TakenBack || sums.Loss.Known.Known != r.Total.Loss.Known.Known ||
			!sum(sums.Exposure.Met, r.Total.Exposure.Met) || !sum(sums.Exposure.Avoided, r.Total.Exposure.Avoided) || !sum(sums.Requests.Failed, r.Total.Requests.Failed) {
			t.Fatalf("services sum up to %+v, the total is %+v", sums, r.Total)
		}
		for _, a := range r.Rollouts {
			e := a.Exposure
			if e != nil && (e.Met < 0 || e.Met > e.Fault || e.Avoided < 0 || !sum(e.Met+e.Avoided, e.Fault)) {
				t.Fatalf("%+v", *e)
			}
			if q := a.Requests; q != nil && (q.Failed < 0 || q.Failed > q.Avoided || math.IsNaN(q.Rate) || math.IsInf(q.Rate, 0)) {
				t.Fatalf("%+v", *q)
			}
			if a.Fate != deployments.FateTakenBack && (e != nil || a.Loss != nil) {
				t.Fatalf("%s claims something: %+v", a.Fate, a)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		shuffled := rapid.Permutation(all).Draw(t, "shuffled")
		if again := deployments.NewReport(after(-1e6), after(1e6), shuffled); again.Total.Releases != r.Total.Releases {
			t.Fatalf("%d releases in another order, %d before", again.Total.Releases, r.Total.Releases)
		}
	})
}
