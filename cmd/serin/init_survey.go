package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
)

// surveyor looks at what a Prometheus has of a service.
type surveyor struct {
	asker
	vars rules.Vars
}

// look finds the service's requests, their times and its starts. Without requests it is an error.
func (s surveyor) look(ctx context.Context) (survey.Seen, error) {
	names, err := s.client.MetricNames(ctx, s.source, s.at.Add(-time.Hour), s.at)
	if err != nil {
		return survey.Seen{}, fmt.Errorf("look at Prometheus: %w", err)
	}
	counters := survey.Counters(names)
	found := survey.Best(s.series(ctx, counters, func(name string) string { return name }))
	if len(found) == 0 {
		return survey.Seen{}, s.nothing(names, counters)
	}
	best := found[0]
	seen := survey.Seen{Service: s.vars.Service, Requests: &best, InTenMinutes: s.number(ctx, "sum(increase("+best.Selector("")+"[10m]))"), Bad: math.NaN()}
	for _, other := range found[1:] {
		seen.Others = append(seen.Others, other.Metric)
	}
	if all := s.number(ctx, "sum(increase("+best.Selector("")+"[1h]))"); all > 0 && best.Bad != "" {
		bad := s.number(ctx, "sum(increase("+best.Selector("", best.Bad)+"[1h]))")
		if seen.Bad = bad / all; math.IsNaN(bad) {
			seen.Bad = 0
		}
	}
	s.times(ctx, &seen, names)
	if starts := s.series(ctx, []string{"process_start_time_seconds"}, func(name string) string { return name }); slices.Contains(names, "process_start_time_seconds") && len(starts) > 0 && starts[0].Version != "" {
		seen.Restarts = &starts[0]
	}
	for _, v := range survey.Look(rules.MustCompile(best.Selector("")), s.vars) {
		seen.Spacing = s.spacing(ctx, v, v.All())
	}
	return seen, nil
}

// nothing says what is there instead of the service's requests.
func (s surveyor) nothing(names, counters []string) error {
	const cure = "see that it is scraped and has been asked something, or write a policy without --from-prometheus"
	switch {
	case len(names) == 0:
		return fmt.Errorf("Prometheus has no metrics of the last hour: %s", cure)
	case len(counters) == 0:
		return fmt.Errorf("none of %d metrics looks like a counter of requests: %s", len(names), cure)
	}
	return fmt.Errorf("no label of %s names the service %s: %s; see how it is named there, or %s",
		strings.Join(counters[:min(5, len(counters))], ", "), s.vars.Service, "it was looked for in service, app, job, application and such", cure)
}

// series understands those metrics that have series of the service. present makes a query of a metric that is there.
func (s surveyor) series(ctx context.Context, metrics []string, present func(metric string) string) []survey.Series {
	var out []survey.Series
	for _, metric := range metrics {
		var rows []map[string]string
		for _, sample := range s.one(ctx, survey.Rows(present(metric)), s.vars).Samples {
			rows = append(rows, sample.Labels)
		}
		if found, ok := survey.Understand(s.vars.Service, metric, rows); ok {
			out = append(out, found)
		}
	}
	return out
}

// times finds the histogram of the requests' time, classic or native, and its 95th percentile.
func (s surveyor) times(ctx context.Context, seen *survey.Seen, names []string) {
	seen.P95 = math.NaN()
	bases := survey.Histograms(names, seen.Requests.Metric)
	var found []survey.Series
	for _, base := range bases {
		if slices.Contains(names, base+"_bucket") {
			found = append(found, s.series(ctx, []string{base + "_bucket"}, func(name string) string { return name })...)
		}
		if slices.Contains(names, base) {
			found = append(found, s.series(ctx, []string{base}, func(name string) string { return "histogram_count(" + name + ")" })...)
		}
	}
	for _, times := range found {
		if times.Version != seen.Requests.Version || times.Service != seen.Requests.Service {
			continue
		}
		by := "sum by (le) "
		if seen.Native = !strings.HasSuffix(times.Metric, "_bucket"); seen.Native {
			by = "sum"
		}
		seen.Times = &times
		for le := range s.values(ctx, "le", survey.CountBy(times.Selector(""), "le"), s.vars) {
			if bound, err := strconv.ParseFloat(le, 64); err == nil && !math.IsInf(bound, 0) {
				seen.Largest = max(seen.Largest, bound)
			}
		}
		seen.P95 = s.number(ctx, "histogram_quantile(0.95, "+by+"(rate("+times.Selector("")+"[1h])))")
		return
	}
}

// number is the answer to a query for one, or NaN.
func (s surveyor) number(ctx context.Context, query string) float64 {
	r := s.one(ctx, query, s.vars)
	if r.Err != nil || len(r.Samples) == 0 || r.Samples[0].Histogram {
		return math.NaN()
	}
	return r.Samples[0].Value
}
