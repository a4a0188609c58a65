package promlab

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
)

// Float is a sample of the metric, with labels given as pairs of name and value.
func Float(value float64, metric string, pairs ...string) Sample {
	return Sample{Labels: labels.FromStrings(append([]string{model.MetricNameLabel, metric}, pairs...)...), Value: value}
}

// Native is a native histogram of so many observations, all of them between 0.25 and 0.5.
func Native(observations float64, metric string, pairs ...string) Sample {
	s := Float(0, metric, pairs...)
	s.Histogram = &histogram.FloatHistogram{Count: observations, Sum: observations / 3,
		PositiveSpans: []histogram.Span{{Offset: -1, Length: 1}}, PositiveBuckets: []float64{observations}}
	return s
}
