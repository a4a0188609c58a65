package prometheus

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/analysis"
)

// errNoValue: the library reads an element without a value as 0 at the beginning of time. That must not pass for data.
var errNoValue = errors.New("the answer has an element without a value")

// samples reads an instant vector or a scalar. A native histogram is marked: its value is nothing.
func samples(value model.Value) ([]analysis.Sample, error) {
	switch v := value.(type) {
	case model.Vector:
		out := make([]analysis.Sample, len(v))
		for i, s := range v {
			if s == nil || s.Timestamp == 0 {
				return nil, errNoValue
			}
			out[i] = analysis.Sample{Labels: labels(s.Metric), Value: float64(s.Value), Histogram: s.Histogram != nil}
		}
		return out, nil
	case *model.Scalar:
		if v.Timestamp == 0 {
			return nil, errNoValue
		}
		return []analysis.Sample{{Value: float64(v.Value)}}, nil
	case nil:
		return nil, errors.New("the answer has no result")
	default:
		return nil, fmt.Errorf("the answer is a %s: an instant vector or a scalar is needed", value.Type())
	}
}

func labels(metric model.Metric) map[string]string {
	if len(metric) == 0 {
		return nil
	}
	out := make(map[string]string, len(metric))
	for name, value := range metric {
		out[string(name)] = string(value)
	}
	return out
}

// realWarnings leaves out PromQL's hints about the query: older servers send them among the warnings.
func realWarnings(all v1.Warnings) []string {
	var out []string
	for _, w := range all {
		if !strings.HasPrefix(w, "PromQL info:") {
			out = append(out, clean(w))
		}
	}
	return out
}
