package analysis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/rules"
)

const (
	badNew      = `sum(increase(bad{version="v2"}[2m]))`
	totalNew    = `sum(increase(all{version="v2"}[2m]))`
	badStable   = `sum(increase(bad{version="v1"}[2m]))`
	totalStable = `sum(increase(all{version="v1"}[2m]))`
	totalStep   = `sum(increase(all{version="v2"}[9m]))`
)

// request asks for a rule nine minutes into the first step.
func request(r rules.Rule) Request {
	began := noon.Add(-9 * time.Minute)
	return Request{Rule: r, Vars: rules.Vars{Version: "v2", StableVersion: "v1"}, Since: began, Inside: began}
}

func TestMeasureAsksNoMoreThanTheVerdictNeeds(t *testing.T) {
	seen := request(errorRatio())
	seen.Seen = true
	first := request(errorRatio())
	first.Vars.StableVersion = ""
	fixedCounts := request(errorRatio())
	fixedCounts.Rule.Counts = rules.CountFixed
	unexposed := request(errorRatio())
	unexposed.Since = time.Time{}
	hardCoded := seen
	hardCoded.Rule.Bad, hardCoded.Rule.Total = rules.MustCompile(`sum(increase(bad[{{window}}]))`), rules.MustCompile(`sum(increase(all[{{window}}]))`)
	both := request(latency())
	both.Rule.Query = rules.MustCompile(`max(l{version="{{version}}"}) / max(l{version="{{stable_version}}"})`)
	passing := request(latency())
	passing.Seen, passing.Rule.OnNoData = true, rules.Pass
	later := request(errorRatio())
	later.Rule.Steps, later.Vars.Weight = []float64{25, 50}, 5
	round1 := []string{badNew, totalNew}
	for name, c := range map[string]struct {
		request Request
		answers map[string]Result
		calls   [][]string
		want    Verdict
	}{
		"a passing tick asks once":              {request(errorRatio()), map[string]Result{totalNew: vector(400)}, [][]string{round1}, Healthy},
		"nothing exposed asks nothing":          {unexposed, nil, nil, Inconclusive},
		"unhealthy asks for stable's value":     {request(errorRatio()), map[string]Result{badNew: vector(80), totalNew: vector(400), totalStable: vector(100)}, [][]string{round1, {badStable, totalStable}}, Unhealthy},
		"no stable, no question":                {first, map[string]Result{badNew: vector(80), totalNew: vector(400)}, [][]string{round1}, Unhealthy},
		"both versions named, no stable value":  {both, map[string]Result{`max(l{version="v2"}) / max(l{version="v1"})`: vector(2)}, [][]string{{`max(l{version="v2"}) / max(l{version="v1"})`}}, Unhealthy},
		"few samples ask since the step":        {request(errorRatio()), map[string]Result{totalNew: vector(12), totalStep: vector(60)}, [][]string{round1, {totalStep}}, Healthy},
		"few and bad ask for stable too":        {request(errorRatio()), map[string]Result{badNew: vector(4), totalNew: vector(12), totalStep: vector(60)}, [][]string{round1, {totalStep, badStable, totalStable}}, Unhealthy},
		"critical does not wait for samples":    {first, map[string]Result{badNew: vector(12), totalNew: vector(12)}, [][]string{round1}, Unhealthy},
		"fixed counts cannot be counted longer": {fixedCounts, map[string]Result{totalNew: vector(12)}, [][]string{round1}, Inconclusive},
		"a rule of later steps asks nothing":    {later, nil, nil, Healthy},
		"no data, never seen":                   {request(errorRatio()), nil, [][]string{round1}, NoData},
		"no data, seen: is stable there?":       {seen, map[string]Result{totalStable: vector(100)}, [][]string{round1, {badStable, totalStable}}, Unhealthy},
		"no requests, seen":                     {seen, map[string]Result{totalNew: vector(0)}, [][]string{round1}, NoData},
		"NaN may pass, and asks once":           {passing, map[string]Result{`max(latency{version="v2"})`: vector(nan)}, [][]string{{`max(latency{version="v2"})`}}, Healthy},
		"no version in the rule, nothing lost":  {hardCoded, nil, [][]string{{`sum(increase(bad[2m]))`, `sum(increase(all[2m]))`}}, NoData},
		"an outage asks no more":                {seen, map[string]Result{totalNew: {Err: errors.New("down")}}, [][]string{round1}, Outage},
	} {
		t.Run(name, func(t *testing.T) {
			q := &scripted{answers: c.answers}
			js := Analyst{Querier: q}.Measure(t.Context(), []Request{c.request}, noon)
			if diff := cmp.Diff(c.calls, q.calls); diff != "" {
				t.Errorf("queries (-want +got):\n%s", diff)
			}
			if js[0].Verdict != c.want {
				t.Errorf("verdict %v (%s), want %v", js[0].Verdict, js[0].Reason, c.want)
			}
		})
	}
}

func TestAllRequestsShareTheRounds(t *testing.T) {
	const lat = `max(latency{version="v2"})`
	q := &scripted{answers: map[string]Result{totalNew: vector(12), totalStep: vector(30), lat: vector(0.7), `max(latency{version="v1"})`: vector(0.2)}}
	js := Analyst{Querier: q}.Measure(t.Context(), []Request{request(errorRatio()), request(latency())}, noon)
	calls := [][]string{{badNew, totalNew, lat}, {totalStep, `max(latency{version="v1"})`}}
	if diff := cmp.Diff(calls, q.calls); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if js[0].Verdict != Inconclusive || js[1].Verdict != Unhealthy {
		t.Errorf("judgements out of order: %+v", js)
	}
}

func TestEvidenceIsComplete(t *testing.T) {
	q := &scripted{answers: map[string]Result{badNew: vector(74), totalNew: vector(406), badStable: vector(1), totalStable: vector(250)}}
	got := Analyst{Querier: q}.Measure(t.Context(), []Request{request(errorRatio())}, noon.Add(300*time.Microsecond))
	want := []Judgement{{
		Rule: "errors", Verdict: Unhealthy, Reason: "18.2 % > 5 % (74 of 406 requests)", Data: true,
		Reading: Reading{At: noon, BadQuery: badNew, TotalQuery: totalNew, Window: 2 * time.Minute,
			Value: num(74. / 406), Limit: num(0.05), LimitKind: "max", Stable: num(1. / 250), Bad: num(74), Total: num(406), Samples: num(406)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("judgement (-want +got):\n%s", diff)
	}
}

func TestEvidenceNamesTheWorstSeries(t *testing.T) {
	const lat = `max(latency{version="v2"})`
	samples := []Sample{{Labels: map[string]string{"pod": "a"}, Value: 0.2}, {Labels: map[string]string{"pod": "b"}, Value: 0.8}}
	j := Analyst{Querier: &scripted{answers: map[string]Result{lat: {Samples: samples}}}}.Measure(t.Context(), []Request{request(latency())}, noon)[0]
	want := Reading{At: noon, Query: lat, Window: 2 * time.Minute, Value: num(0.8), Limit: num(0.5), LimitKind: "max", Labels: samples[1].Labels}
	if diff := cmp.Diff(want, j.Reading); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

// mute answers nothing, against its contract.
type mute struct{}

func (mute) Query(context.Context, []Query, time.Time) []Result { return nil }

func TestUnansweredQueriesAreOutages(t *testing.T) {
	js := Analyst{Querier: mute{}}.Measure(t.Context(), []Request{request(errorRatio())}, noon)
	if js[0].Verdict != Outage || !strings.Contains(js[0].Reason, "not answered") {
		t.Errorf("judgement %+v", js[0])
	}
}

// sameNumber takes NaN for equal to itself.
var sameNumber = cmp.Comparer(func(a, b Number) bool { return a == b || a != a && b != b })

func TestSharesAreMeasured(t *testing.T) {
	noStable, value := request(errorRatio()), request(latency())
	noStable.Vars.StableVersion = ""
	open := request(errorRatio())
	open.Since = time.Time{}
	for name, c := range map[string]struct {
		request Request
		answers map[string]Result
		want    MeasuredShare
	}{
		"a quarter":              {request(errorRatio()), map[string]Result{totalNew: vector(50, 50), totalStable: vector(300)}, MeasuredShare{OK: true, Share: 0.25, New: 100, Stable: 300}},
		"nothing exposed yet":    {open, map[string]Result{totalNew: vector(0), totalStable: vector(300)}, MeasuredShare{OK: true, Stable: 300}},
		"all of it":              {request(errorRatio()), map[string]Result{totalNew: vector(10)}, MeasuredShare{OK: true, Share: 1, New: 10}},
		"nobody scrapes it":      {request(errorRatio()), map[string]Result{totalStable: vector(300)}, MeasuredShare{Gone: true, Stable: 300, Why: "the new version has no series"}},
		"no requests":            {request(errorRatio()), map[string]Result{totalNew: vector(0), totalStable: vector(nan)}, MeasuredShare{Stable: Number(nan), Why: "no requests"}},
		"an outage":              {request(errorRatio()), map[string]Result{totalStable: {Err: errors.New("down")}}, MeasuredShare{Why: "down"}},
		"a histogram":            {request(errorRatio()), map[string]Result{totalNew: {Samples: []Sample{{Histogram: true}}}}, MeasuredShare{Why: histogram}},
		"no stable version":      {noStable, nil, MeasuredShare{Why: "there is no other stable version"}},
		"a rule without a total": {value, nil, MeasuredShare{Why: "the rule has no total that uses {{version}}"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Analyst{Querier: &scripted{answers: c.answers}}.Shares(t.Context(), []Request{c.request}, noon)
			c.want.At, c.want.Window = noon, 2*time.Minute
			if strings.HasPrefix(got[0].Queries[0], "sum") {
				c.want.Queries = [2]string{totalNew, totalStable}
			}
			if diff := cmp.Diff([]MeasuredShare{c.want}, got, sameNumber); diff != "" {
				t.Errorf("share (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShareIsInBasisPoints(t *testing.T) {
	for name, c := range map[string]struct {
		canary, stable float64
		want           int
		ok             bool
	}{
		"5 %": {5, 95, 500, true}, "all": {7, 0, 10000, true}, "none": {0, 7, 0, true}, "a third": {1, 2, 3333, true},
		"nobody": {0, 0, 0, false}, "NaN": {nan, 1, 0, false}, "stable NaN": {1, nan, 0, false},
		"negative": {-1, 3, 0, false}, "infinite": {inf, 1, 0, false}, "overflow": {1.7e308, 1.7e308, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := Share(c.canary, c.stable); got != c.want || ok != c.ok {
				t.Errorf("Share(%v, %v) = %d, %v; want %d, %v", c.canary, c.stable, got, ok, c.want, c.ok)
			}
		})
	}
}
