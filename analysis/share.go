package analysis

import (
	"context"
	"math"
	"time"

	"github.com/serin-cd/serin/rules"
)

// MeasuredShare is the part of a slot's traffic that its new version really had.
type MeasuredShare struct {
	At      time.Time     `json:"at"`
	Window  time.Duration `json:"window"`
	Share   float64       `json:"share"`          // 0 to 1; meaningful only where OK
	OK      bool          `json:"ok"`             // both versions were counted and had events between them
	Gone    bool          `json:"gone,omitempty"` // the new version has no series while stable has events: no traffic, or nobody scrapes it
	New     Number        `json:"new"`            // events of the new version in the window
	Stable  Number        `json:"stable"`         // events of the stable version in the window
	Why     string        `json:"why,omitempty"`  // why it is not OK
	Queries [2]string     `json:"queries"`        // as sent: of the new version, of the stable one
}

// Share is the new version's part of both counts in basis points. It is false when nothing was counted, or when a
// number is no count.
func Share(canaryTotal, stableTotal float64) (basisPoints int, ok bool) {
	sum := canaryTotal + stableTotal
	// The comparisons are false for NaN.
	if !(canaryTotal >= 0 && stableTotal >= 0 && sum > 0) || math.IsInf(sum, 0) {
		return 0, false
	}
	return int(math.Round(10000 * canaryTotal / sum)), true
}

// Shares measures the shares that ratio rules see: the total of {{version}} against that of the stable version, one for
// each request, in order. The window is the rule's, clipped to Since where that is set; all is asked in one call.
func (a Analyst) Shares(ctx context.Context, rs []Request, at time.Time) []MeasuredShare {
	at = at.Truncate(time.Millisecond)
	out, totals := make([]MeasuredShare, len(rs)), make([][2]Result, len(rs))
	b := newBatch(2 * len(rs))
	for i, r := range rs {
		out[i] = MeasuredShare{At: at, Window: shareWindow(r, at)}
		if out[i].Why = unmeasurable(r, out[i].Window); out[i].Why != "" {
			continue
		}
		others, _ := r.others()
		for k, vars := range [2]rules.Vars{r.Vars, others} {
			vars.Window = out[i].Window
			b.add(Query{Source: r.Source, Template: r.Rule.Total, Vars: vars}, &totals[i][k])
		}
	}
	a.ask(ctx, b, at)
	for i, r := range rs {
		if out[i].Why == "" {
			out[i] = out[i].measure(r.Rule, totals[i])
		}
	}
	return out
}

func shareWindow(r Request, at time.Time) time.Duration {
	if r.Since.IsZero() {
		return r.Rule.Window
	}
	return min(r.Rule.Window, at.Sub(r.Since).Truncate(time.Millisecond))
}

// unmeasurable says why a rule cannot tell the share, or "".
func unmeasurable(r Request, window time.Duration) string {
	_, measurable := r.others()
	switch {
	case !r.Rule.Ratio() || !r.Rule.Total.Uses("version") && !r.Rule.Total.Uses("variant"):
		return "the rule has no total that uses {{version}}"
	case !measurable:
		return "there is no other stable version"
	case window <= 0:
		return "nothing is exposed yet"
	}
	return ""
}

func (s MeasuredShare) measure(rule rules.Rule, totals [2]Result) MeasuredShare {
	s.Queries = [2]string{totals[0].Expr, totals[1].Expr}
	for k, into := range [2]*Number{&s.New, &s.Stable} {
		if s.Why = totals[k].fault(); s.Why != "" {
			return s
		}
		n, ok := count(totals[k].Samples, rule.Counts, s.Window)
		if !ok {
			s.Why = histogram
			return s
		}
		*into = Number(n)
	}
	if _, s.OK = Share(float64(s.New), float64(s.Stable)); !s.OK {
		s.Why = "no requests"
		return s
	}
	if len(totals[0].Samples) == 0 {
		s.OK, s.Gone, s.Why = false, true, "the new version has no series"
		return s
	}
	s.Share = float64(s.New / (s.New + s.Stable))
	return s
}
