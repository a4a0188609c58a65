package policytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/lab/promlab"
)

// newEngine is PromQL as a Prometheus with its default settings speaks it.
func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: 2 * time.Minute, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }, // evaluation_interval
	})
}

// forEver is longer than any test.
const forEver = 100 * 365 * 24 * time.Hour

// store puts the series of a test into memory.
func (t Test) store() *promlab.Store {
	byTime := map[time.Duration][]promlab.Sample{}
	for _, s := range t.Series {
		for i, v := range s.Values {
			if !v.Omitted {
				at := s.Start + time.Duration(i)*s.Interval
				byTime[at] = append(byTime[at], promlab.Sample{Labels: s.Labels, Value: v.Value, Histogram: v.Histogram})
			}
		}
	}
	store := promlab.NewStore(func() time.Time { return t.Zero }, forEver)
	for _, at := range slices.Sorted(maps.Keys(byTime)) {
		store.Append(t.Zero.Add(at), byTime[at]...)
	}
	return store
}

// querier asks the series of one test.
type querier struct {
	engine *promql.Engine
	store  *promlab.Store
	test   Test
}

var errAway = errors.New("prometheus is away: an outage of the test")

// Query asks the engine, unless Prometheus is away.
func (q querier) Query(ctx context.Context, qs []analysis.Query, at time.Time) []analysis.Result {
	out := make([]analysis.Result, len(qs))
	for i, question := range qs {
		expr, err := question.Template.Render(question.Vars)
		switch {
		case err != nil:
			out[i] = analysis.Result{Expr: expr, Err: err}
		case q.away(at):
			out[i] = analysis.Result{Expr: expr, Err: errAway}
		default:
			out[i] = q.ask(ctx, expr, at)
		}
	}
	return out
}

func (q querier) away(at time.Time) bool {
	since := at.Sub(q.test.Zero)
	return slices.ContainsFunc(q.test.Outages, func(o Outage) bool { return since >= o.From && since < o.To })
}

func (q querier) ask(ctx context.Context, expr string, at time.Time) analysis.Result {
	r := analysis.Result{Expr: expr}
	query, err := q.engine.NewInstantQuery(ctx, q.store, nil, expr, at)
	if err != nil {
		r.Err = fmt.Errorf("bad_data: %w", err)
		return r
	}
	defer query.Close()
	answer := query.Exec(ctx)
	if answer.Err != nil {
		r.Err = fmt.Errorf("execution: %w", answer.Err)
		return r
	}
	r.Warnings, _ = answer.Warnings.AsStrings(expr, 10, 0)
	r.Samples, r.Err = samples(answer.Value)
	return r
}

// samples reads an instant vector or a scalar, as the client of a real Prometheus does.
func samples(value parser.Value) ([]analysis.Sample, error) {
	switch v := value.(type) {
	case promql.Vector:
		out := make([]analysis.Sample, len(v))
		for i, s := range v {
			out[i] = analysis.Sample{Labels: labelsOf(s.Metric), Value: s.F, Histogram: s.H != nil}
		}
		return out, nil
	case promql.Scalar:
		return []analysis.Sample{{Value: v.V}}, nil
	}
	return nil, fmt.Errorf("the answer is a %s: an instant vector or a scalar is needed", value.Type())
}

func labelsOf(l labels.Labels) map[string]string {
	if l.Len() == 0 {
		return nil
	}
	return l.Map()
}
