package promlab

import "github.com/prometheus/prometheus/model/labels"

// Float is a sample of the metric with labels, given as name, value, name, value, …
func Float(value float64, metric string, pairs ...string) Sample {
	return Sample{Labels: labels.FromStrings(append([]string{labels.MetricName, metric}, pairs...)...), Value: value}
}
