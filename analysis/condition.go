package analysis

import (
	"context"
	"math"
	"time"
)

// Holds asks conditions, all at one instant. A condition holds when its answer has series and none of them is 0 or NaN.
// It returns why the first of them that does not hold does not; "" when all hold.
func (a Analyst) Holds(ctx context.Context, conditions []Query, at time.Time) (why string) {
	b, results := newBatch(len(conditions)), make([]Result, len(conditions))
	for i, q := range conditions {
		b.add(q, &results[i])
	}
	a.ask(ctx, b, at)
	for _, r := range results {
		if why = r.unmet(); why != "" {
			return why
		}
	}
	return ""
}

// unmet says why a condition does not hold, or "".
func (r Result) unmet() string {
	if fault := r.fault(); fault != "" {
		return fault
	}
	if len(r.Samples) == 0 {
		return "no series for " + r.Expr
	}
	for _, s := range r.Samples {
		switch {
		case s.Histogram:
			return histogram + ": " + r.Expr
		case s.Value == 0 || math.IsNaN(s.Value):
			return text(s.Value, 3) + " for " + r.Expr
		}
	}
	return ""
}
