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

func (p point) T() int64  { return p.t }
func (p point) ST() int64 { return 0 }

func (p point) F() float64              { return p.f }
func (p point) H() *histogram.Histogram { return nil }

// FH is a copy: the engine writes into what it is given, and a second identical query would differ.
func (p point) FH() *histogram.FloatHistogram {
	if p.h == nil {
		return nil
	}
	return p.h.Copy()
}

func (p point) Type() chunkenc.ValueType {
	if p.h != nil {
		return chunkenc.ValFloatHistogram
	}
	return chunkenc.ValFloat
}

func (p point) Copy() chunks.Sample { return point{t: p.t, f: p.f, h: p.FH()} }

// points are a storage.Samples.
type points []point

func (p points) Get(i int) chunks.Sample { return p[i] }
func (p points) Len() int                { return len(p) }
