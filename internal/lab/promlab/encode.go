package promlab

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

type queryData struct {
	Type   parser.ValueType `json:"resultType"`
	Result any              `json:"result"`
}

type sampleJSON struct {
	Metric    labels.Labels    `json:"metric"`
	Value     json.RawMessage  `json:"value,omitempty"`
	Histogram *json.RawMessage `json:"histogram,omitempty"`
}

type seriesJSON struct {
	Metric     labels.Labels     `json:"metric"`
	Values     []json.RawMessage `json:"values,omitempty"`
	Histograms []json.RawMessage `json:"histograms,omitempty"`
}

// encode turns a value into what Prometheus' API sends for it. Empty vectors and matrices are [], never null.
func encode(v parser.Value) (any, error) {
	switch v := v.(type) {
	case promql.Vector:
		out := make([]sampleJSON, len(v))
		for i, s := range v {
			out[i] = sampleJSON{Metric: s.Metric, Value: floatPoint(s.T, s.F)}
			if s.H != nil {
				h := histogramPoint(s.T, s.H)
				out[i].Value, out[i].Histogram = nil, &h
			}
		}
		return queryData{v.Type(), out}, nil
	case promql.Matrix:
		out := make([]seriesJSON, len(v))
		for i, s := range v {
			out[i].Metric = s.Metric
			for _, p := range s.Floats {
				out[i].Values = append(out[i].Values, floatPoint(p.T, p.F))
			}
			for _, p := range s.Histograms {
				out[i].Histograms = append(out[i].Histograms, histogramPoint(p.T, p.H))
			}
		}
		return queryData{v.Type(), out}, nil
	case promql.Scalar, promql.String:
		return queryData{v.Type(), v}, nil
	default:
		return nil, fmt.Errorf("encode a %T", v)
	}
}

// floatPoint is [seconds, "value"].
func floatPoint(t int64, f float64) json.RawMessage {
	b := appendSeconds([]byte{'['}, t)
	b = appendFloat(append(b, ','), f)
	return append(b, ']')
}

// histogramPoint is [seconds, {count, sum, buckets: [[bounds, lower, upper, count]…]}], without empty buckets.
func histogramPoint(t int64, h *histogram.FloatHistogram) json.RawMessage {
	b := appendSeconds([]byte{'['}, t)
	b = appendFloat(append(b, `,{"count":`...), h.Count)
	b = appendFloat(append(b, `,"sum":`...), h.Sum)
	separator := `,"buckets":[[`
	for it := h.AllBucketIterator(); it.Next(); {
		bucket := it.At()
		if bucket.Count == 0 {
			continue
		}
		b = strconv.AppendInt(append(b, separator...), bounds(bucket), 10)
		for _, f := range []float64{bucket.Lower, bucket.Upper, bucket.Count} {
			b = appendFloat(append(b, ','), f)
		}
		b = append(b, ']')
		separator = `,[`
	}
	if separator == `,[` {
		b = append(b, ']')
	}
	return append(b, "}]"...)
}

// bounds says which ends a bucket includes: 0 upper, 1 lower, 2 neither, 3 both.
func bounds(b histogram.Bucket[float64]) int64 {
	switch {
	case b.LowerInclusive && b.UpperInclusive:
		return 3
	case b.LowerInclusive:
		return 1
	case b.UpperInclusive:
		return 0
	default:
		return 2
	}
}

func appendSeconds(b []byte, ms int64) []byte {
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}

// appendFloat writes a quoted value: JSON has no NaN and no infinities.
func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return append(strconv.AppendFloat(append(b, '"'), f, format, -1, 64), '"')
}
