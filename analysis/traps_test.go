package analysis_test

import (
	"testing"

	"github.com/serin-cd/serin/analysis"
)

// TestKnownTrapsOfMetricsAreJudgedAsTheChapterSays goes from a rule as it is written to the Analyst's judgement, for what
// other tools are known to misjudge.
func TestKnownTrapsOfMetricsAreJudgedAsTheChapterSays(t *testing.T) {
	histogram := analysis.Result{Samples: []analysis.Sample{{Histogram: true}}}
	const errors, least, most = ratio + "max: 5%", value + "min: 0.9", value + "max: 0.5"
	for name, c := range map[string]struct {
		rule    string
		answers answers
		want    analysis.Verdict
		reason  string
	}{
		"a ratio: there never was an error series":       {errors, answers{total: vec(400)}, analysis.Healthy, "0 % ≤ 5 % (0 of 400 requests)"},
		"a ratio: the metric does not exist":             {errors, answers{}, analysis.NoData, "no series"},
		"a ratio: a canary without traffic":              {errors, answers{bad: vec(0), total: vec(0)}, analysis.NoData, "no requests"},
		"a ratio: errors, and the total is not there":    {errors, answers{bad: vec(5)}, analysis.NoData, "no series"},
		"a ratio: both are NaN":                          {errors, answers{bad: vec(nan), total: vec(nan)}, analysis.NoData, "no requests"},
		"a ratio: errors are NaN":                        {errors, answers{bad: vec(nan), total: vec(400)}, analysis.Outage, "bad is NaN, which is no count"},
		"a ratio: errors are infinite":                   {errors, answers{bad: vec(inf), total: vec(400)}, analysis.Outage, "bad is +Inf, which is no count"},
		"a ratio: the total is infinite":                 {errors, answers{bad: vec(5), total: vec(inf)}, analysis.Outage, "total is +Inf, which is no count"},
		"a ratio: the total is minus infinity":           {errors, answers{bad: vec(5), total: vec(-inf)}, analysis.Outage, "total is -Inf, which is no count"},
		"a ratio: histograms":                            {errors, answers{bad: vec(5), total: histogram}, analysis.Outage, "histogram sample: use histogram_quantile or histogram_avg"},
		"a ratio: several series are added up":           {errors, answers{bad: vec(10, 30), total: vec(100, 300)}, analysis.Unhealthy, "10 % > 5 % (40 of 400 requests)"},
		"a ratio: two errors in three requests":          {errors, answers{bad: vec(2), total: vec(3)}, analysis.Inconclusive, "3 of 50 requests"},
		"a value: the metric does not exist":             {most, answers{}, analysis.NoData, "no series"},
		"a value: NaN under a max":                       {most, answers{value: vec(nan)}, analysis.NoData, "the value is NaN"},
		"a value: NaN over a min":                        {least, answers{value: vec(nan)}, analysis.NoData, "the value is NaN"},
		"a value: infinity over a max":                   {most, answers{value: vec(inf)}, analysis.Unhealthy, "+Inf > 0.5"},
		"a value: minus infinity under a min":            {least, answers{value: vec(-inf)}, analysis.Unhealthy, "-Inf < 0.9"},
		"a value: a histogram":                           {most, answers{value: histogram}, analysis.Outage, "histogram sample: use histogram_quantile or histogram_avg"},
		"a value: a histogram among numbers":             {most, answers{value: analysis.Result{Samples: append(vec(0.1).Samples, histogram.Samples...)}}, analysis.Outage, "histogram sample: use histogram_quantile or histogram_avg"},
		"a value: one of several series is bad":          {most, answers{value: vec(0.1, 0.9, 0.2)}, analysis.Unhealthy, "0.9 > 0.5"},
		"a value: one of several series is NaN":          {most, answers{value: vec(0.1, nan)}, analysis.Healthy, "0.1 ≤ 0.5"},
		"a comparison: only stable has data":             {beside, answers{stable: vec(1)}, analysis.NoData, "no series"},
		"a comparison: only the new version has data":    {beside, answers{value: vec(1)}, analysis.NoData, "the stable version has no data to compare with"},
		"a comparison: the metric does not exist":        {beside, answers{}, analysis.NoData, "no series"},
		"a comparison: stable is NaN":                    {beside, answers{value: vec(1), stable: vec(nan)}, analysis.NoData, "the stable version has no data to compare with"},
		"a comparison: the new version is NaN":           {beside, answers{value: vec(nan), stable: vec(1)}, analysis.NoData, "the value is NaN"},
		"a comparison: stable is infinite":               {beside, answers{value: vec(1), stable: vec(inf)}, analysis.NoData, "the stable version has no data to compare with"},
		"a comparison: the new version is infinite":      {beside, answers{value: vec(inf), stable: vec(1)}, analysis.Unhealthy, "+Inf > 1.1 (stable has 1)"},
		"a comparison: errors where stable has none":     {beside, answers{value: vec(0.05), stable: vec(0)}, analysis.Unhealthy, "0.05 > 0 (stable has 0)"},
		"a comparison: one series is only on one side":   {beside, answers{value: vec(1, 1), stable: vec(1)}, analysis.NoData, "the stable version has no data to compare with"},
		"a comparison: stable has one series more":       {beside, answers{value: vec(1), stable: vec(1, 1)}, analysis.Healthy, "1 ≤ 1.1 (stable has 1)"},
		"a comparison: stable cannot be asked":           {beside, answers{value: vec(1), stable: fails("timeout")}, analysis.Outage, "stable version: timeout"},
		"a comparison: stable's histograms are no value": {beside, answers{value: vec(1), stable: histogram}, analysis.NoData, "the stable version has no data to compare with"},
	} {
		t.Run(name, func(t *testing.T) {
			set, findings := parseRules(c.rule)
			if err := findings.Err(); err != nil {
				t.Fatal(err)
			}
			if j := measure(t, set, c.answers)[0]; j.Verdict != c.want || j.Reason != c.reason {
				t.Errorf("%v: %s; want %v: %s", j.Verdict, j.Reason, c.want, c.reason)
			}
		})
	}
}
