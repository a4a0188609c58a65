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
	outages := a.outages()
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
func (s span) longest(times []time.Time, outages []span) (gap time.Duration, at time.Time) {
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
func without(from, to time.Time, outages []span) time.Duration {
	var longest time.Duration
	for _, o := range outages {
		if o.to.Before(from) || o.from.After(to) {
			continue
		}
		longest = max(longest, o.from.Sub(from))
		from = later(from, o.to)
	}
	return max(longest, to.Sub(from))
}

const (
	// leaderless is how long nothing at all must be written, after a server was killed, for the journal to have been
	// without a leader. The servers take 4 to 9 s to elect one.
	leaderless = time.Second
	// busy is how many entries there must have been in the five seconds before: else silence says nothing.
	busy = 25
)

// outages are the times in which nobody could write the journal, in order: no server ran, or the servers had not elected
// a leader yet.
func (l Left) outages() []span {
	var all []span
	for _, f := range l.Faults {
		if f.Kind == chaos.Outage {
			all = append(all, span{from: f.From, to: f.To})
		}
		if f.Kind != chaos.Outage && f.Kind != chaos.KillServer {
			continue
		}
		if s, ok := l.unwritten(f); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(x, y span) int { return x.from.Compare(y.from) })
	var out []span
	for _, s := range all {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			out[n-1].to = later(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// unwritten is the longest time around the kill of a server in which no entry of any rollout was written.
func (l Left) unwritten(f chaos.Fault) (longest span, ok bool) {
	const election, before = 10 * time.Second, 5 * time.Second
	written := 0
	for i, e := range l.Journal {
		if e.At.After(f.From.Add(-before)) && !e.At.After(f.From) {
			written++
		}
		if i == 0 {
			continue
		}
		s := span{from: l.Journal[i-1].At, to: e.At}
		if s.to.After(f.From) && s.from.Before(f.To.Add(election)) && s.to.Sub(s.from) > longest.to.Sub(longest.from) {
			longest = s
		}
	}
	return longest, written >= busy && longest.to.Sub(longest.from) >= leaderless
}

func (l Left) outageTime() float64 {
	var sum time.Duration
	for _, s := range l.outages() {
		sum += s.to.Sub(s.from)
	}
	return round(sum.Seconds())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
