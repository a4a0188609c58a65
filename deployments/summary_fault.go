package deployments

import (
	"math"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Traffic is the share of traffic that the new version may have had from an instant on: the confirmed one, or the
// requested one where it is larger, until the smaller one is confirmed.
type Traffic struct {
	From    time.Time `json:"from"`
	Percent float64   `json:"percent"`
	Unknown bool      `json:"unknown,omitempty"` // an audience had it besides; how much traffic that is nobody knows
}

// Fault is what is known of the fault that rules, or the loss of their data, took a rollout back for. Its interval is
// from Since to Off.
type Fault struct {
	Since  time.Time `json:"since"`            // the first of the bad readings in a row of the rules that failed; of lost data when it was first missed
	Off    time.Time `json:"off_at,omitzero"`  // no traffic of the new version was confirmed; of features alone, all of them off, where that helped
	Counts []Count   `json:"counts,omitempty"` // of the rules that failed and count requests
}

// Count is a failed rule's reading of requests when the way back was decided.
type Count struct {
	Rule   string    `json:"rule"`
	At     time.Time `json:"at"`
	Window float64   `json:"window_seconds"`
	Total  float64   `json:"total"` // requests of the new version in the window
	Bad    float64   `json:"bad"`
	Stable *float64  `json:"stable,omitempty"` // stable's share of bad requests, where it is known
}

// traffic is the share that a rollout's new version may have had since an entry.
func traffic(e Entry) Traffic {
	r := e.State.Rollout
	t := Traffic{From: e.At, Percent: max(r.Confirmed, r.Want).Percent(), Unknown: len(r.Audience)+len(r.ConfirmedAudience) > 0}
	if f := r.Failure; f != nil && offAt(f).IsZero() {
		t.Percent = max(t.Percent, f.FromShare.Percent())
		t.Unknown = t.Unknown || len(f.FromAudience) > 0
	}
	t.Unknown = t.Unknown && t.Percent < steps.All.Percent()
	return t
}

// along is the course of traffic with one part more. Clocks of two workers may differ: time never goes back.
func along(course []Traffic, t Traffic) []Traffic {
	if n := len(course); n > 0 {
		last := course[n-1]
		if last.Percent == t.Percent && last.Unknown == t.Unknown {
			return course
		}
		if t.From.Before(last.From) {
			t.From = last.From
		}
	}
	return append(slices.Clip(course), t)
}

// offAt is when the way back was confirmed; zero when it is not, or when features alone were turned off and nobody saw
// that it helped.
func offAt(f *steps.FailureState) time.Time {
	var off time.Time
	features := false
	for _, a := range f.Actions {
		switch a.Kind {
		case steps.RollbackAction:
			return a.Confirmed
		case steps.FlagOff:
			if a.Confirmed.IsZero() {
				return time.Time{}
			}
			features = true
			if a.Confirmed.After(off) {
				off = a.Confirmed
			}
		case steps.PublishEvent:
		}
	}
	if !features || f.Restored.IsZero() {
		return time.Time{}
	}
	return off
}

// fault is what e tells of the fault, beside what is known of it already.
func (s Summary) fault(e Entry) *Fault {
	r := e.State.Rollout
	f := r.Failure
	if f == nil || f.Cause != steps.ByRules && f.Cause != steps.ByLostData {
		return nil
	}
	if s.Fault != nil {
		known := *s.Fault
		known.Off = offAt(f)
		return &known
	}
	since := firstBad(*r)
	if !f.At.Equal(e.At) || since.IsZero() {
		return nil // the entry that decided is purged
	}
	return &Fault{Since: since, Off: offAt(f), Counts: counted(e.Evidence, f.Rules, s.Accounts)}
}

// firstBad is when the first of the failed rules began to fail.
func firstBad(r steps.Rollout) time.Time {
	var first time.Time
	for _, rule := range r.Rules {
		since := rule.FailingSince
		if slices.Contains(r.Failure.Rules, rule.Rule) && !since.IsZero() && (first.IsZero() || since.Before(first)) {
			first = since
		}
	}
	return first
}

// counted are the failed rules' readings of requests.
func counted(evidence []analysis.Judgement, failed []string, a *Accounts) []Count {
	var out []Count
	for _, j := range evidence {
		in := j.Reading
		total, ok := finite(in.Total)
		bad, okBad := finite(in.Bad)
		if !slices.Contains(failed, j.Rule) || !a.counts(j.Rule) || !ok || !okBad || total <= 0 || bad < 0 || in.Window <= 0 {
			continue
		}
		c := Count{Rule: j.Rule, At: in.At, Window: in.Window.Seconds(), Total: total, Bad: bad}
		if stable, known := finite(in.Stable); known {
			c.Stable = &stable
		}
		out = append(out, c)
	}
	return out
}

// finite is a number that JSON can carry and sums can bear.
func finite(n *analysis.Number) (float64, bool) {
	if n == nil || math.IsNaN(float64(*n)) || math.IsInf(float64(*n), 0) {
		return 0, false
	}
	return float64(*n), true
}
