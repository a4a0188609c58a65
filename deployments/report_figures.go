package deployments

import (
	"cmp"
	"math"
	"slices"

	"github.com/serin-cd/serin/steps"
)

// Figures are those of several rollouts. What is known of none of them is null.
type Figures struct {
	Releases  int                 `json:"releases"` // whose rollouts ended
	Promoted  int                 `json:"promoted"`
	TakenBack int                 `json:"taken_back"` // because of rules, lost data, or a hold that lasted too long
	Causes    map[steps.Cause]int `json:"taken_back_for,omitempty"`
	Steps     []AtStep            `json:"taken_back_in,omitempty"` // in which steps
	Apart     map[Fate]int        `json:"apart,omitempty"`         // in neither part of the rate: aborted, superseded, …
	UnderWay  int                 `json:"under_way"`               // not ended yet, and in no other figure
	// Unconfirmed are those under way whose way back is not confirmed.
	Unconfirmed int `json:"restore_unconfirmed,omitempty"`

	// FailureRate is the part of those taken back among them and the promoted.
	FailureRate *float64 `json:"change_failure_rate"`
	Lead        Times    `json:"lead"`    // from the release event to the promotion
	Decide      Times    `json:"decide"`  // from the first bad reading to the decision
	Restore     Times    `json:"restore"` // from the first bad reading to no traffic, confirmed
	Healthy     Times    `json:"healthy"` // from the first bad reading to healthy again

	Exposure Exposures   `json:"exposure"`
	Requests RequestSums `json:"requests"`
	Loss     Losses      `json:"loss_avoided"`
}

// AtStep is how many rollouts turned back in a step.
type AtStep struct {
	Step     string `json:"step"` // "" is not known
	Rollouts int    `json:"rollouts"`
}

// Known says of how many rollouts a figure is known, of those that it is about.
type Known struct {
	Known int `json:"known"`
	Of    int `json:"of"`
}

// Times are durations of several rollouts, in seconds.
type Times struct {
	Known
	Median *float64 `json:"median_seconds"` // of an even number the mean of the two in the middle
	P90    *float64 `json:"p90_seconds"`    // the shortest that nine of ten do not exceed

	all []float64
}

// Exposures is the sum of exposures.
type Exposures struct {
	Known
	Exposure
	Mean *float64 `json:"mean_share"` // of traffic that met the faults, 0 to 1
}

// RequestSums is the sum of requests.
type RequestSums struct {
	Known
	Avoided float64 `json:"avoided"`
	Failed  float64 `json:"failed"`
}

// Losses are the losses avoided, each currency by itself.
type Losses struct {
	Known
	Amounts []Money `json:"amounts"`
}

func (f *Figures) live(s Summary) {
	f.UnderWay++
	if s.Outcome == steps.RestoreUnconfirmed {
		f.Unconfirmed++
	}
}

// add counts one rollout more.
func (f *Figures) add(a Account) {
	f.Releases++
	switch a.Fate {
	case FatePromoted:
		f.Promoted++
		f.Lead.add(a.Lead)
	case FateTakenBack:
		f.TakenBack++
		f.Causes = tally(f.Causes, a.Cause)
		f.atStep(a.Step)
		if a.faulty {
			f.fault(a)
		}
	case FateAborted, FateSuperseded, FateNotReady, FateNeverExposed, FateOther:
		f.Apart = tally(f.Apart, a.Fate)
	}
}

func tally[K comparable](m map[K]int, k K) map[K]int {
	if m == nil {
		m = map[K]int{}
	}
	m[k]++
	return m
}

func (f *Figures) atStep(step string) {
	i := slices.IndexFunc(f.Steps, func(s AtStep) bool { return s.Step == step })
	if i < 0 {
		i = len(f.Steps)
		f.Steps = append(f.Steps, AtStep{Step: step})
	}
	f.Steps[i].Rollouts++
}

func (f *Figures) fault(a Account) {
	f.Decide.add(a.Decide)
	f.Restore.add(a.Restore)
	f.Healthy.add(a.Healthy)
	f.Exposure.add(a.Exposure != nil)
	f.Requests.add(a.Requests != nil)
	f.Loss.add(a.Loss != nil)
	if e := a.Exposure; e != nil {
		f.Exposure.Fault += e.Fault
		f.Exposure.Met += e.Met
		f.Exposure.Avoided += e.Avoided
	}
	if r := a.Requests; r != nil {
		f.Requests.Avoided += r.Avoided
		f.Requests.Failed += r.Failed
	}
	if a.Loss != nil {
		f.Loss.sum(*a.Loss)
	}
}

func (l *Losses) sum(m Money) {
	i := slices.IndexFunc(l.Amounts, func(have Money) bool { return have.Currency == m.Currency })
	if i < 0 {
		i = len(l.Amounts)
		l.Amounts = append(l.Amounts, Money{Currency: m.Currency})
	}
	l.Amounts[i].Amount += m.Amount
}

func (k *Known) add(known bool) {
	k.Of++
	if known {
		k.Known++
	}
}

func (t *Times) add(seconds *float64) {
	t.Known.add(seconds != nil)
	if seconds != nil {
		t.all = append(t.all, *seconds)
	}
}

// finished is the figures with what follows from all of their rollouts.
func (f Figures) finished() Figures {
	if n := f.Promoted + f.TakenBack; n > 0 {
		rate := float64(f.TakenBack) / float64(n)
		f.FailureRate = &rate
	}
	for _, t := range []*Times{&f.Lead, &f.Decide, &f.Restore, &f.Healthy} {
		t.Median, t.P90 = middle(t.all)
	}
	if f.Exposure.Fault > 0 {
		mean := f.Exposure.Met / f.Exposure.Fault
		f.Exposure.Mean = &mean
	}
	if f.Loss.Amounts == nil {
		f.Loss.Amounts = []Money{}
	}
	slices.SortFunc(f.Loss.Amounts, func(a, b Money) int { return cmp.Compare(a.Currency, b.Currency) })
	slices.SortFunc(f.Steps, func(a, b AtStep) int { // shares by their size, "5 %" before "25 %"
		return cmp.Or(cmp.Compare(len(a.Step), len(b.Step)), cmp.Compare(a.Step, b.Step))
	})
	return f
}

// middle is the median and the 90th percentile, by nearest rank.
func middle(all []float64) (median, p90 *float64) {
	if len(all) == 0 {
		return nil, nil
	}
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	half := (sorted[(n-1)/2] + sorted[n/2]) / 2
	return &half, &sorted[int(math.Ceil(0.9*float64(n)))-1]
}
