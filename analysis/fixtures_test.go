package analysis

import (
	"context"
	"time"

	"github.com/serin-cd/serin/rules"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// errorRatio is the usual rule: at most 5 % errors, of 50 requests or more.
func errorRatio() rules.Rule {
	return rules.Rule{
		Name:  "errors",
		Bad:   rules.MustCompile(`sum(increase(bad{version="{{version}}"}[{{window}}]))`),
		Total: rules.MustCompile(`sum(increase(all{version="{{version}}"}[{{window}}]))`),
		Max:   new(0.05), MinSamples: 50, CriticalMax: new(0.5), CriticalMin: 10,
		Window: 2 * time.Minute, OnNoData: rules.Hold, OnDataLost: rules.Rollback,
	}
}

// latency is a value rule: from 0.1 to 0.5.
func latency() rules.Rule {
	return rules.Rule{
		Name:  "latency",
		Query: rules.MustCompile(`max(latency{version="{{version}}"})`),
		Min:   new(0.1), Max: new(0.5),
		Window: 2 * time.Minute, OnNoData: rules.Hold, OnDataLost: rules.Rollback,
	}
}

func vector(values ...float64) Result {
	r := Result{}
	for _, v := range values {
		r.Samples = append(r.Samples, Sample{Value: v})
	}
	return r
}

func ratio(bad, total Result) Answer { return Answer{Bad: bad, Total: total} }

func value(r Result) Answer { return Answer{Value: r} }

// inside is a window wholly within the step.
var inside = Window{Length: 2 * time.Minute, Proof: ProvesHealth}

// scripted answers each query by its text, and records the calls.
type scripted struct {
	answers map[string]Result
	calls   [][]string
}

func (s *scripted) Query(_ context.Context, qs []Query, _ time.Time) []Result {
	var texts []string
	out := make([]Result, len(qs))
	for i, q := range qs {
		text, err := q.Template.Render(q.Vars)
		out[i] = s.answers[text]
		out[i].Expr = text
		if err != nil {
			out[i].Err = err
		}
		texts = append(texts, text)
	}
	s.calls = append(s.calls, texts)
	return out
}
