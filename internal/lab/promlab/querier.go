package promlab

import (
	"context"
	"maps"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// Querier returns a view of the samples from mint to maxt, both in milliseconds and included, and seals maxt.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	s.seal(maxt)
	return &querier{store: s, mint: mint, maxt: maxt}, nil
}

type querier struct {
	store      *Store
	mint, maxt int64
}

// Select returns the matching series that have samples in the view, sorted by labels.
func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := q.find(matchers)
	slices.SortFunc(found, func(a, b series) int { return labels.Compare(a.labels, b.labels) })
	return &seriesSet{series: found, at: -1}
}

// find copies the headers of the matching series. Append never writes to an index that a header covers, so that they
// are safe to read after the lock is gone.
func (q *querier) find(matchers []*labels.Matcher) []series {
	q.store.mu.RLock()
	defer q.store.mu.RUnlock()
	var found []series
	for _, s := range q.store.series {
		if !matches(s.labels, matchers) {
			continue
		}
		if in := s.points[firstAt(s.points, q.mint):firstAt(s.points, q.maxt+1)]; len(in) > 0 {
			found = append(found, series{labels: s.labels, points: in})
		}
	}
	return found
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// LabelValues lists the values of one label, sorted.
func (q *querier) LabelValues(_ context.Context, name string, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	values := map[string]bool{}
	for _, s := range q.find(matchers) {
		if v := s.labels.Get(name); v != "" {
			values[v] = true
		}
	}
	return slices.Sorted(maps.Keys(values)), nil, nil
}

// LabelNames lists the names of labels, sorted.
func (q *querier) LabelNames(_ context.Context, _ *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	names := map[string]bool{}
	for _, s := range q.find(matchers) {
		s.labels.Range(func(l labels.Label) { names[l.Name] = true })
	}
	return slices.Sorted(maps.Keys(names)), nil, nil
}

// Close does nothing: a querier holds nothing.
func (q *querier) Close() error { return nil }

type seriesSet struct {
	series []series
	at     int // -1 before the first Next
}

// Next goes to the next series, if there is one.
func (s *seriesSet) Next() bool { s.at++; return s.at < len(s.series) }

// At is the series that Next went to.
func (s *seriesSet) At() storage.Series { return s.series[s.at] }

// Err is nil: memory does not fail.
func (s *seriesSet) Err() error { return nil }

// Warnings are none.
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// Labels are the labels of the series.
func (s series) Labels() labels.Labels { return s.labels }

// Iterator walks the samples of the series.
func (s series) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(s.points)
}
