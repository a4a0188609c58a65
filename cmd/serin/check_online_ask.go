package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
)

// asker asks one Prometheus at one instant.
type asker struct {
	client *prometheus.Client
	source *analysis.Source
	at     time.Time
}

// ask asks texts, in which variables are filled in, and returns their results. What cannot be asked has none.
func (a asker) ask(ctx context.Context, vars rules.Vars, texts ...string) map[string]analysis.Result {
	var queries []analysis.Query
	var asked []string
	out := map[string]analysis.Result{}
	for _, text := range texts {
		t, err := rules.Compile(text)
		if err != nil {
			continue
		}
		queries, asked = append(queries, analysis.Query{Source: a.source, Template: t, Vars: vars}), append(asked, text)
	}
	for i, r := range a.client.Query(ctx, queries, a.at) {
		out[asked[i]] = r
	}
	return out
}

func (a asker) one(ctx context.Context, text string, vars rules.Vars) analysis.Result {
	return a.ask(ctx, vars, text)[text]
}

// learn asks all that [survey.Known.Inspect] looks at. A question without an answer is left out.
func (a asker) learn(ctx context.Context, views []survey.View) survey.Known {
	k := survey.Known{Counts: map[string]float64{}, Labels: map[string][]string{}, Values: map[string]map[string][]string{},
		Types: map[string][]string{}, Spacing: map[string]time.Duration{}}
	for _, v := range views {
		for text, r := range a.ask(ctx, v.Vars, v.Questions()...) {
			if r.Err != nil {
				continue
			}
			k.Counts[text] = 0
			if len(r.Samples) > 0 {
				k.Counts[text] = r.Samples[0].Value
			}
		}
	}
	for _, v := range views {
		a.learnMetric(ctx, v, &k)
	}
	return k
}

// learnMetric asks what helps to correct a view, and how its metric is made.
func (a asker) learnMetric(ctx context.Context, v survey.View, k *survey.Known) {
	if v.Metric == "" {
		return
	}
	if _, known := k.Types[v.Metric]; !known {
		k.Types[v.Metric], _ = a.client.MetricTypes(ctx, a.source, v.Metric) // not all servers know them
		k.Labels[v.Metric] = a.labels(ctx, v)
	}
	if _, known := k.Spacing[v.All()]; !known {
		k.Spacing[v.All()] = cmp.Or(a.spacing(ctx, v, v.All()), a.spacing(ctx, v, v.Metrics()))
	}
	if len(v.Questions()) > 0 && k.Counts[v.Questions()[0]] == 0 && k.Names == nil {
		k.Names, _ = a.client.MetricNames(ctx, a.source, a.at.Add(-time.Hour), a.at) // they only help to correct
	}
	for _, label := range k.Missing(v) {
		if k.Values[v.Metric] == nil {
			k.Values[v.Metric] = map[string][]string{}
		}
		k.Values[v.Metric][label] = slices.Sorted(maps.Keys(a.values(ctx, label, survey.CountBy(v.Metrics(), label), v.Vars)))
	}
}

// labels are the names of labels of a few of the metric's series.
func (a asker) labels(ctx context.Context, v survey.View) []string {
	names := map[string]bool{}
	for _, s := range a.one(ctx, survey.Newest(v.Metrics(), 50), v.Vars).Samples {
		for name := range s.Labels {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// values counts series by the values of one label.
func (a asker) values(ctx context.Context, label, query string, vars rules.Vars) map[string]float64 {
	out := map[string]float64{}
	for _, s := range a.one(ctx, query, vars).Samples {
		if value := s.Labels[label]; value != "" {
			out[value] = s.Value
		}
	}
	return out
}

// spacing is that of one series of a selector of the view; 0 where none is known.
func (a asker) spacing(ctx context.Context, v survey.View, selector string) time.Duration {
	newest := a.one(ctx, survey.Newest(selector, 1), v.Vars).Samples
	if len(newest) == 0 {
		return 0
	}
	matchers := []string{"__name__=" + strconv.Quote(v.Metric)}
	for _, name := range slices.Sorted(maps.Keys(newest[0].Labels)) {
		if name != "__name__" {
			matchers = append(matchers, survey.QuotedName(name)+"="+strconv.Quote(newest[0].Labels[name]))
		}
	}
	found, _ := a.client.Spacing(ctx, a.source, "{"+strings.Join(matchers, ",")+"}", a.at) // unknown: nothing is said
	return found
}
