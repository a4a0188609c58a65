package promlab

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Float is a sample of the metric, with labels given as pairs of name and value.
func Float(value float64, metric string, pairs ...string) Sample {
	return Sample{Labels: labels.FromStrings(append([]string{model.MetricNameLabel, metric}, pairs...)...), Value: value}
}
