package analysis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
)

// recorded stands for Prometheus: it answers 74 bad requests of 406 for the new version, 1 of 250 for the stable one.
type recorded struct{}

func (recorded) Query(_ context.Context, qs []analysis.Query, _ time.Time) []analysis.Result {
	values := map[string]float64{
		`sum(increase(errors{version="v2"}[2m]))`: 74, `sum(increase(requests{version="v2"}[2m]))`: 406,
		`sum(increase(errors{version="v1"}[2m]))`: 1, `sum(increase(requests{version="v1"}[2m]))`: 250,
	}
	out := make([]analysis.Result, len(qs))
	for i, q := range qs {
		out[i].Expr, out[i].Err = q.Template.Render(q.Vars)
		if value, ok := values[out[i].Expr]; ok {
			out[i].Samples = []analysis.Sample{{Value: value}}
		}
	}
	return out
}

// One rule is judged at one instant, nine minutes after the first exposure.
func ExampleAnalyst_Measure() {
	limit, now := 0.05, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	began := now.Add(-9 * time.Minute)
	js := analysis.Analyst{Querier: recorded{}}.Measure(context.Background(), []analysis.Request{{
		Rule: rules.Rule{
			Name:  "errors",
			Bad:   rules.MustCompile(`sum(increase(errors{version="{{version}}"}[{{window}}]))`),
			Total: rules.MustCompile(`sum(increase(requests{version="{{version}}"}[{{window}}]))`),
			Max:   &limit, MinSamples: 50, Window: 2 * time.Minute,
		},
		Vars:  rules.Vars{Version: "v2", StableVersion: "v1"},
		Since: began, Inside: began,
	}}, now)

	evidence, err := json.MarshalIndent(js[0].Reading, "", "  ")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s %v: %s\n%s\n", js[0].Rule, analysis.Overall(js), js[0].Reason, evidence)
	// Output:
	// errors unhealthy: 18.2 % > 5 % (74 of 406 requests)
	// {
	//   "at": "2026-11-20T12:00:00Z",
	//   "bad_query": "sum(increase(errors{version=\"v2\"}[2m]))",
	//   "total_query": "sum(increase(requests{version=\"v2\"}[2m]))",
	//   "window": 120000000000,
	//   "value": 0.18226600985221675,
	//   "limit": 0.05,
	//   "limit_kind": "max",
	//   "stable": 0.004,
	//   "bad": 74,
	//   "total": 406,
	//   "samples": 406
	// }
}
