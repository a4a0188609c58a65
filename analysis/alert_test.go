package analysis

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/rules"
)

func alertRule(fires rules.Comparison, threshold float64, data string) rules.Rule {
	r := rules.Rule{Name: "alert", Query: rules.MustCompile(`x{version="{{version}}"}`), Alert: &rules.Alert{Fires: fires, Threshold: threshold}, OnNoData: rules.Hold, OnDataLost: rules.Rollback}
	r.PerSeries = true
	if data != "" {
		r.Alert.Data = rules.MustCompile(data)
	}
	return r
}

func TestVerdictOfAnAlert(t *testing.T) {
	above, ratio, absent := alertRule(rules.FiresAbove, 5, ""), alertRule(rules.FiresAbove, 0.05, "total"), alertRule(rules.FiresAny, 0, "vector(1)")
	hist := Result{Samples: []Sample{{Histogram: true, Value: 9}}}
	of := func(v, total Result) Facts { return Facts{New: Answer{Value: v, Total: total}} }
	type want struct {
		Verdict Verdict
		Reason  string
		Series  int
	}
	for name, c := range map[string]struct {
		rule  rules.Rule
		facts Facts
		want  want
	}{
		"above":                              {above, of(vector(6), Result{}), want{Unhealthy, "6 > 5", 1}},
		"at the threshold":                   {above, of(vector(5), Result{}), want{Healthy, "5 ≤ 5", 0}},
		"at the threshold, fires from":       {alertRule(rules.FiresFrom, 5, ""), of(vector(5), Result{}), want{Unhealthy, "5 >= 5", 1}},
		"below":                              {alertRule(rules.FiresBelow, 5, ""), of(vector(7, 4), Result{}), want{Unhealthy, "4 < 5", 1}},
		"equal":                              {alertRule(rules.FiresAt, 0, ""), of(vector(1, 0, 2), Result{}), want{Unhealthy, "0 == 0", 1}},
		"not equal":                          {alertRule(rules.FiresAt, 0, ""), of(vector(1, 2), Result{}), want{Healthy, "1 ≠ 0", 0}},
		"NaN differs":                        {alertRule(rules.FiresOff, 0, ""), of(vector(nan), Result{}), want{Unhealthy, "NaN != 0", 1}},
		"NaN is above nothing":               {above, of(vector(nan), Result{}), want{NoData, "the value is NaN", 0}},
		"one idle series among others":       {above, of(vector(nan, 1), Result{}), want{Healthy, "1 ≤ 5", 0}},
		"infinite":                           {above, of(vector(inf), Result{}), want{Unhealthy, "+Inf > 5", 1}},
		"a histogram compares with nothing":  {above, of(hist, Result{}), want{NoData, histogram, 0}},
		"a histogram is a series that fires": {absent, of(hist, Result{}), want{Unhealthy, "the alert fires", 1}},
		"PromQL has something to say":        {above, of(Result{Samples: vector(6).Samples, Warnings: []string{"PromQL warning: metric might not be a counter"}}, Result{}), want{Unhealthy, "6 > 5", 1}},
		"series may be missing":              {above, of(Result{Warnings: []string{"No StoreAPIs matched for this query"}}, Result{}), want{Outage, "answer with warnings: No StoreAPIs matched for this query", 0}},
		"no series":                          {above, of(vector(), Result{}), want{NoData, "no series", 0}},
		"down":                               {above, of(Result{Err: errors.New("refused")}, Result{}), want{Outage, "refused", 0}},
		"never an error, but traffic":        {ratio, of(vector(), vector(12)), want{Healthy, "0 ≤ 0.05", 0}},
		"no traffic":                         {ratio, of(vector(nan), vector(0)), want{NoData, "the value is NaN", 0}},
		"no errors and no traffic":           {ratio, of(vector(), vector(0)), want{NoData, "no requests", 0}},
		"total is down":                      {ratio, of(vector(), Result{Err: errors.New("refused")}), want{Outage, "refused", 0}},
		"absent":                             {absent, of(vector(1), vector(1)), want{Unhealthy, "the alert fires", 1}},
		"not absent":                         {absent, of(vector(), vector(1)), want{Healthy, "the alert does not fire", 0}},
		"nothing of it is there":             {alertRule(rules.FiresAny, 0, "count(a)"), of(vector(), vector()), want{NoData, "no series", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			c.facts.Window = inside
			j := Judge(c.rule, c.facts)
			if diff := cmp.Diff(c.want, want{j.Verdict, j.Reason, len(j.Failing)}); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFiringSeriesAreToldApartAsPrometheusTellsThem(t *testing.T) {
	of := func(labels ...map[string]string) Result {
		var r Result
		for _, l := range labels {
			r.Samples = append(r.Samples, Sample{Labels: l, Value: 9})
		}
		return r
	}
	rule := alertRule(rules.FiresAbove, 5, "")
	judge := func(r Result) Judgement { return Judge(rule, Facts{Window: inside, New: Answer{Value: r}}) }
	a, b := map[string]string{"__name__": "x", "pod": "a"}, map[string]string{"__name__": "x", "pod": "b"}
	if j := judge(of(a, b)); len(j.Failing) != 2 || j.Reason != "9 > 5 (2 series)" {
		t.Errorf("two series: %v, %q", j.Failing, j.Reason)
	}
	if one, two := judge(of(a)), judge(of(map[string]string{"__name__": "y", "pod": "a"})); one.Failing[0] != two.Failing[0] {
		t.Error("the metric's name is part of an alert")
	}
	rule.Alert.Labels = map[string]string{"pod": "all"}
	if j := judge(of(a, b)); j.Verdict != Outage {
		t.Errorf("two series that become one alert: %s, and Prometheus refuses to evaluate it", j.Verdict)
	}
	for text, over := range map[string]map[string]string{
		"a template of itself": {"pod": "{{ $labels.pod }}"}, "another label made of it": {"pod": "all", "team": "{{ $labels.pod }}"}, "another label": {"team": "all"},
	} {
		rule.Alert.Labels = over
		if j := judge(of(a, b)); len(j.Failing) != 2 {
			t.Errorf("%s: %v, two alerts in Prometheus", text, j)
		}
	}
	rule.Alert.Labels = nil
	var many []map[string]string
	for i := range maxFiring + 1 {
		many = append(many, map[string]string{"pod": string(rune('a' + i))})
	}
	if j := judge(of(many...)); len(j.Failing) != 1 || j.Failing[0] != EverySeries {
		t.Errorf("%d series are told apart, %d may be", len(j.Failing), maxFiring)
	}
}
