package analysis

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/serin-cd/serin/rules"
)

// versus is a rule that allows a fifth more than stable has, and does not care below 0.1.
func versus() rules.Rule {
	r := latency()
	r.Min, r.Max = nil, nil
	r.Compare = &rules.Compare{MaxRatio: new(1.2), IgnoreBelow: 0.1}
	return r
}

func labelled(version string, values map[string]float64) Result {
	r := Result{}
	for route, v := range values {
		r.Samples = append(r.Samples, Sample{Labels: map[string]string{"version": version, "route": route}, Value: v})
	}
	return r
}

func TestAValueIsJudgedBesideTheStableVersions(t *testing.T) {
	limited := versus()
	limited.Max = new(0.5)
	increase := versus()
	increase.Compare = &rules.Compare{MaxIncrease: new(0.05)}
	both := versus()
	both.Compare = &rules.Compare{MaxRatio: new(2.), MaxIncrease: new(0.05)}
	for name, c := range map[string]struct {
		rule        rules.Rule
		own, stable Result
		want        Verdict
		reason      string
	}{
		"as good":                    {versus(), vector(0.2), vector(0.2), Healthy, "0.2 ≤ 0.24 (stable has 0.2)"},
		"worse":                      {versus(), vector(0.3), vector(0.2), Unhealthy, "0.3 > 0.24 (stable has 0.2)"},
		"worse, and small":           {versus(), vector(0.09), vector(0.01), Healthy, "0.09 ≤ 0.1 (stable has 0.01)"},
		"small, and no stable data":  {versus(), vector(0.09), Result{}, Healthy, "0.09 ≤ 0.1"},
		"no stable data":             {versus(), vector(0.2), Result{}, NoData, "the stable version has no data to compare with"},
		"stable has no number":       {versus(), vector(0.2), vector(math.NaN()), NoData, "the stable version has no data to compare with"},
		"stable is infinite":         {versus(), vector(math.Inf(1)), vector(math.Inf(1)), NoData, "the stable version has no data to compare with"},
		"infinite":                   {versus(), vector(math.Inf(1)), vector(0.2), Unhealthy, "+Inf > 0.24 (stable has 0.2)"},
		"no data":                    {versus(), Result{}, vector(0.2), NoData, "no series"},
		"stable cannot be asked":     {versus(), vector(0.2), Result{Err: errors.New("timeout")}, Outage, "stable version: timeout"},
		"a histogram":                {versus(), Result{Samples: []Sample{{Histogram: true}}}, vector(0.2), Outage, histogram},
		"above its own limit":        {limited, vector(0.6), vector(0.6), Unhealthy, "0.6 > 0.5"},
		"inside its own limit":       {limited, vector(0.4), vector(0.2), Unhealthy, "0.4 > 0.24 (stable has 0.2)"},
		"negative":                   {versus(), vector(-1), vector(-1), Healthy, "-1 ≤ 0.1 (stable has -1)"},
		"an increase":                {increase, vector(0.06), vector(0), Unhealthy, "0.06 > 0.05 (stable has 0)"},
		"the narrower of two limits": {both, vector(0.3), vector(0.2), Unhealthy, "0.3 > 0.25 (stable has 0.2)"},
		"one broken, one unknown to stable": {
			versus(), labelled("v2", map[string]float64{"/a": 1, "/new": 0.5}), labelled("v1", map[string]float64{"/a": 0.3}),
			Unhealthy, "1 > 0.36 (stable has 0.3)",
		},
		"one as good, one unknown to stable": {
			versus(), labelled("v2", map[string]float64{"/a": 0.3, "/new": 0.5}), labelled("v1", map[string]float64{"/a": 0.3}),
			NoData, "the stable version has no data to compare with",
		},
		"each series beside its own": {
			versus(), labelled("v2", map[string]float64{"/a": 1, "/b": 0.5}), labelled("v1", map[string]float64{"/a": 1, "/b": 0.3}),
			Unhealthy, "0.5 > 0.36 (stable has 0.3)",
		},
		"a series that stable has not": {
			versus(), labelled("v2", map[string]float64{"/a": 1, "/new": 0.5}), labelled("v1", map[string]float64{"/a": 1}),
			NoData, "the stable version has no data to compare with",
		},
	} {
		t.Run(name, func(t *testing.T) {
			control := Control{Own: rules.Vars{Version: "v2"}, Stable: rules.Vars{Version: "v1"}}
			j := Judge(c.rule, Facts{Window: inside, New: value(c.own), Stable: new(value(c.stable)), Control: control})
			if j.Verdict != c.want || j.Reason != c.reason {
				t.Errorf("%v: %s; want %v: %s", j.Verdict, j.Reason, c.want, c.reason)
			}
		})
	}
}

func TestAComparisonWithoutStableIsSkippedAndSaysSo(t *testing.T) {
	const own = `max(latency{version="v2"})`
	first, all := request(versus()), request(versus())
	first.Vars.StableVersion = ""
	all.Vars.Weight = 100
	for why, r := range map[string]Request{
		"not compared: there is no stable version":               first,
		"not compared: at 100 % the stable version has no users": all,
	} {
		q := &scripted{answers: map[string]Result{own: vector(7)}}
		j := Analyst{Querier: q}.Measure(t.Context(), []Request{r}, noon)[0]
		if j.Verdict != Healthy || j.Reason != why || len(q.calls) != 1 || len(q.calls[0]) != 1 {
			t.Errorf("%v: %s, after %q", j.Verdict, j.Reason, q.calls)
		}
		q.answers = nil
		if j := (Analyst{Querier: q}).Measure(t.Context(), []Request{r}, noon)[0]; j.Verdict != NoData {
			t.Errorf("without data: %v: %s", j.Verdict, j.Reason)
		}
	}
	q := &scripted{answers: map[string]Result{own: vector(0.3), `max(latency{version="v1"})`: vector(0.2)}}
	j := Analyst{Querier: q}.Measure(t.Context(), []Request{request(versus())}, noon.Add(time.Second))[0]
	if j.Verdict != Unhealthy || len(q.calls) != 1 || len(q.calls[0]) != 2 || j.Reading.Stable == nil {
		t.Errorf("%v: %s, after %q", j.Verdict, j.Reason, q.calls)
	}
}
