package promlab

import (
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// point is one stored sample, in the shape the engine's iterators read (chunks.Sample).
type point struct {
	t int64 // milliseconds
	f float64
	h *histogram.FloatHistogram
}

// T is the instant in milliseconds.
func (p point) T() int64 { return p.t }

// ST is 0: samples here have no start timestamp.
func (p point) ST() int64 { return 0 }

// F is the value of a float sample.
func (p point) F() float64 { return p.f }

// H is nil: histograms here have float counts.
func (p point) H() *histogram.Histogram { return nil }

// FH is a copy: the engine writes into what it is given, and a second identical query would differ.
func (p point) FH() *histogram.FloatHistogram {
	if p.h == nil {
		return nil
	}
	return p.h.Copy()
}

// Type says whether the sample is a float or a histogram.
func (p point) Type() chunkenc.ValueType {
	if p.h != nil {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

// Copy shares nothing with the stored sample.
func (p point) Copy() chunks.Sample { return point{t: p.t, f: p.f, h: p.FH()} }

// points are a storage.Samples.
type points []point

// Get is one of the samples.
func (p points) Get(i int) chunks.Sample { return p[i] }

// Len is how many there are.
func (p points) Len() int { return len(p) }
