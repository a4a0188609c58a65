package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/analysis"
)

// errNoValue: the library reads an element without a value as 0 at the beginning of time. That must not pass for data.
var errNoValue = errors.New("the answer has an element without a value")

// decode reads an answer. What is not in the form that Prometheus writes is left to the library of its API.
func decode(resp *http.Response, body []byte) (samples []analysis.Sample, warnings []string, err error) {
	if samples, ok := readVector(body); ok {
		return samples, nil, nil
	}
	return decodeAny(resp, body)
}

// decodeAny reads an answer with the library of Prometheus' API.
func decodeAny(resp *http.Response, body []byte) ([]analysis.Sample, []string, error) {
	if partial(body) {
		return nil, nil, errPartial
	}
	value, warnings, _, err := v1.NewAPI(answered{resp, body}).Query(context.Background(), "", time.Time{})
	if err != nil {
		return nil, realWarnings(warnings), err
	}
	out, err := samples(value)
	return out, realWarnings(warnings), err
}

// answered is a client of the library whose answer is there already.
type answered struct {
	resp *http.Response
	body []byte
}

// URL is of no importance.
func (answered) URL(string, map[string]string) *url.URL { return &url.URL{} }

// Do is the answer.
func (a answered) Do(context.Context, *http.Request) (*http.Response, []byte, error) {
	return a.resp, a.body, nil
}

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
