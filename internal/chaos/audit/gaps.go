package audit

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/steps"
)

// slack is what a busy machine may be late without being called silent.
const slack = 250 * time.Millisecond

// span is a time in which a rollout is to be evaluated.
type span struct {
	rollout  string
	from, to time.Time
}

// gaps finds rollouts that nobody evaluated for more than two intervals, and returns the worst gap.
func (a *auditor) gaps() time.Duration {
	outages := outages(a.Faults)
	asked := map[string][]time.Time{}
	for _, e := range a.Evaluations {
		asked[e.Service] = append(asked[e.Service], e.At)
	}
	var worst time.Duration
	for _, service := range a.order {
		times := asked[service]
		slices.SortFunc(times, time.Time.Compare)
		for _, s := range spans(a.slots[service].entries, a.Run.End) {
			gap, at := s.longest(times, outages)
			worst = max(worst, gap)
			if gap > 2*a.Run.Interval+slack {
				a.find(Silent, "%s: not evaluated for %s from %s", s.rollout, gap.Round(time.Millisecond), at.Format(time.TimeOnly+".000"))
			}
		}
	}
	return worst
}

// spans are the times in which a slot's rollouts asked for readings: it follows from the entries.
func spans(entries []deployments.Entry, end time.Time) []span {
	var out []span
	open := false
	for i, e := range entries {
		to := end
		if i+1 < len(entries) {
			to = entries[i+1].At
		}
		if !measured(e.State) {
			open = false
			continue
		}
		if open && out[len(out)-1].rollout == e.State.Rollout.ID {
			out[len(out)-1].to = to
		} else {
			out = append(out, span{e.State.Rollout.ID, e.At, to})
		}
		open = true
	}
	return out
}

// measured reports whether a slot's rollout waits for readings.
func measured(s deployments.State) bool {
	return s.Live() && slices.ContainsFunc(s.Rollout.Pending(), func(e steps.Effect) bool {
		_, ok := e.(steps.Measure)
		return ok
	})
}

// longest is the longest time of the span without an evaluation, and when it began. Times are sorted.
func (s span) longest(times []time.Time, outages []chaos.Fault) (gap time.Duration, at time.Time) {
	last := s.from
	consider := func(to time.Time) {
		if d := without(last, to, outages); d > gap {
			gap, at = d, last
		}
		last = to
	}
	for _, t := range times {
		if t.After(s.from) && t.Before(s.to) {
			consider(t)
		}
	}
	consider(s.to)
	return gap, at
}

// without is the longest part of a gap outside outages: up to one's beginning, and from its end.
func without(from, to time.Time, outages []chaos.Fault) time.Duration {
	var longest time.Duration
	for _, o := range outages {
		if o.To.Before(from) || o.From.After(to) {
			continue
		}
		longest = max(longest, o.From.Sub(from))
		from = later(from, o.To)
	}
	return max(longest, to.Sub(from))
}

// outages are the times without any server, in order.
func outages(faults []chaos.Fault) []chaos.Fault {
	var out []chaos.Fault
	for _, f := range faults {
		if f.Kind == chaos.Outage {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(x, y chaos.Fault) int { return x.From.Compare(y.From) })
	return out
}

func outageTime(faults []chaos.Fault) float64 {
	var sum time.Duration
	for _, f := range outages(faults) {
		sum += f.To.Sub(f.From)
	}
	return round(sum.Seconds())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
