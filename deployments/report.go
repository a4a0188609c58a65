package deployments

import (
	"cmp"
	"slices"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Report is what became of the releases whose rollouts ended in a period, in figures. Each figure says of how many
// rollouts it is known; nothing is guessed for the others.
type Report struct {
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Total    Figures   `json:"total"`
	Services []Service `json:"services"` // by environment and name
	Rollouts []Account `json:"rollouts"` // that the figures rest on, by their end
}

// Service is the figures of one slot.
type Service struct {
	Slot
	Figures
}

// Fate is what became of a release, as reports count it.
type Fate string

// The fates. The change failure rate is made of the first two alone.
const (
	FatePromoted     Fate = "promoted"
	FateTakenBack    Fate = "taken_back"    // because of rules, lost data, or a hold that lasted too long
	FateAborted      Fate = "aborted"       // by a person
	FateSuperseded   Fate = "superseded"    // by a newer release
	FateNotReady     Fate = "not_ready"     // in time, for its first traffic
	FateNeverExposed Fate = "never_exposed" // given up before it had traffic
	FateOther        Fate = "other"         // a later version of serin knows
)

// Fate is what became of the release.
func (s Summary) Fate() Fate {
	switch {
	case s.Outcome == steps.Promoted:
		return FatePromoted
	case s.Cause == steps.NotReady:
		return FateNotReady
	case s.Outcome == steps.NeverExposed:
		return FateNeverExposed
	}
	switch s.Cause {
	case steps.ByRules, steps.ByLostData, steps.ByHoldTimeout:
		return FateTakenBack
	case steps.ByPerson:
		return FateAborted
	case steps.BySuperseded:
		return FateSuperseded
	case steps.NotReady:
	}
	return FateOther
}

// NewReport is the report of the rollouts that ended from since until until, in whatever order they are given.
// A rollout that is given twice counts once; those that have not ended are counted as under way.
func NewReport(since, until time.Time, all []Summary) Report {
	r := Report{Since: since, Until: until, Services: []Service{}, Rollouts: []Account{}}
	seen := map[Slot]map[string]bool{}
	figures := map[Slot]*Figures{}
	for _, s := range inOrder(all) {
		ended := s.Phase == steps.Ended
		if seen[s.Slot][s.Rollout] || ended && (s.Ended.Before(since) || s.Ended.After(until)) {
			continue
		}
		if seen[s.Slot] == nil {
			seen[s.Slot], figures[s.Slot] = map[string]bool{}, &Figures{}
		}
		seen[s.Slot][s.Rollout] = true
		if !ended {
			figures[s.Slot].live(s)
			r.Total.live(s)
			continue
		}
		a := NewAccount(s)
		figures[s.Slot].add(a)
		r.Total.add(a)
		r.Rollouts = append(r.Rollouts, a)
	}
	for slot, f := range figures {
		r.Services = append(r.Services, Service{Slot: slot, Figures: f.finished()})
	}
	slices.SortFunc(r.Services, func(a, b Service) int { return bySlot(a.Slot, b.Slot) })
	r.Total = r.Total.finished()
	return r
}

// inOrder puts summaries into the one order that sums are made in: it does not depend on where they came from.
func inOrder(all []Summary) []Summary {
	return slices.SortedStableFunc(slices.Values(all), func(a, b Summary) int {
		return cmp.Or(a.Ended.Compare(b.Ended), bySlot(a.Slot, b.Slot), cmp.Compare(a.Rollout, b.Rollout))
	})
}

func bySlot(a, b Slot) int {
	return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Service, b.Service))
}
