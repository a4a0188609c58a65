package analysis

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/serin-cd/serin/rules"
)

func TestAConditionHoldsWhenItsAnswerIsNeitherNothingNorZero(t *testing.T) {
	for name, c := range map[string]struct {
		result Result
		why    string
	}{
		"a value":           {vector(3), ""},
		"nothing":           {Result{}, "no series for up"},
		"zero":              {vector(0), "0 for up"},
		"one zero of two":   {Result{Samples: []Sample{{Value: 1}, {Value: 0}}}, "0 for up"},
		"no number":         {vector(math.NaN()), "NaN for up"},
		"a histogram":       {Result{Samples: []Sample{{Histogram: true}}}, histogram + ": up"},
		"an outage":         {Result{Err: errors.New("connection refused")}, "connection refused"},
		"a partial answer":  {Result{Samples: vector(1).Samples, Warnings: []string{"a store is down"}}, "answer with warnings: a store is down"},
		"a negative number": {vector(-1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := Analyst{Querier: &scripted{answers: map[string]Result{"up": c.result, "good": vector(1)}}}
			conditions := []Query{{Template: rules.MustCompile("good")}, {Template: rules.MustCompile("up")}}
			if got := a.Holds(t.Context(), conditions, time.Time{}); got != c.why {
				t.Errorf("%q, want %q", got, c.why)
			}
		})
	}
}
