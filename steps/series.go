package steps

import (
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
)

// track follows the failing series of a rule whose `for` counts for each by itself, as Prometheus follows the alerts of an
// alerting rule: one that does not fail at a reading begins anew, unless it has fired and keeps firing. FailingSince is then
// that of the series that has failed longest.
func (s RuleState) track(t rules.Tolerance, j analysis.Judgement) RuleState {
	if !t.PerSeries {
		return s
	}
	var failing []string
	if j.Verdict == analysis.Unhealthy {
		if failing = j.Failing; len(failing) == 0 || failing[0] == analysis.EverySeries {
			return s.trackAll(t, j.Reading.At)
		}
	}
	var out []SeriesState
	for _, was := range s.Series {
		again := slices.Contains(failing, was.Key) || was.Key == analysis.EverySeries && len(failing) > 0
		if kept, ok := was.next(t, j.Reading.At, again); ok {
			out = append(out, kept)
		}
	}
	for _, key := range failing {
		if !slices.ContainsFunc(s.Series, func(was SeriesState) bool { return was.Key == key }) {
			out = append(out, SeriesState{Key: key, Since: j.Reading.At, Fired: t.For == 0})
		}
	}
	slices.SortFunc(out, func(a, b SeriesState) int { return strings.Compare(a.Key, b.Key) })
	s.Series, s.FailingSince = out, longest(out)
	return s
}

// next is a failing series after one more reading. It is false when it is forgotten.
func (s SeriesState) next(t rules.Tolerance, at time.Time, again bool) (SeriesState, bool) {
	switch {
	case again:
		s.Fired, s.Cleared = s.Fired || at.Sub(s.Since) >= t.For, time.Time{}
		return s, true
	case !s.Fired || t.KeepFiring == 0:
		return s, false
	case s.Cleared.IsZero():
		s.Cleared = at
	}
	return s, at.Sub(s.Cleared) < t.KeepFiring
}

// trackAll follows the rule as a whole, since its first failing series.
func (s RuleState) trackAll(t rules.Tolerance, at time.Time) RuleState {
	since := longest(s.Series)
	if since.IsZero() {
		since = at
	}
	s.Series, s.FailingSince = []SeriesState{{Key: analysis.EverySeries, Since: since, Fired: at.Sub(since) >= t.For}}, since
	return s
}

// longest is since when the series that has failed longest fails.
func longest(series []SeriesState) time.Time {
	var since time.Time
	for _, s := range series {
		if since.IsZero() || s.Since.Before(since) {
			since = s.Since
		}
	}
	return since
}
