package promlab

import (
	"sort"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
)

// Sample is one value of one series: a float, or a native histogram where Histogram is set.
type Sample struct {
	Labels    labels.Labels // with __name__
	Value     float64
	Histogram *histogram.FloatHistogram
}

// Store holds samples in memory, in the order of time. It is safe for concurrent use and is a storage.Queryable.
type Store struct {
	now       func() time.Time
	retention time.Duration

	mu       sync.RWMutex
	series   map[string]*series
	sealed   int64         // no sample at or before this instant (ms) is accepted any more
	appended chan struct{} // closed by the next Append
}

type series struct {
	labels labels.Labels
	points points // append-only: readers keep slices of it
}

// NewStore makes an empty store that keeps samples for the retention; 0 keeps them for an hour.
func NewStore(now func() time.Time, retention time.Duration) *Store {
	if retention <= 0 {
		retention = time.Hour
	}
	return &Store{now: now, retention: retention, series: map[string]*series{}, appended: make(chan struct{})}
}

// Append adds the samples at one instant, all or none visible to a query, and returns that instant: at to the
// millisecond, or later where at is sealed or a series already has a sample there.
func (s *Store) Append(at time.Time, samples ...Sample) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := max(timestamp.FromTime(at), s.sealed+1)
	found := make([]*series, len(samples))
	for i, sample := range samples {
		found[i] = s.lookup(sample.Labels)
		if n := len(found[i].points); n > 0 {
			t = max(t, found[i].points[n-1].t+1)
		}
	}
	for i, sample := range samples {
		p := point{t: t, f: sample.Value}
		if sample.Histogram != nil {
			p.h = sample.Histogram.Copy()
		}
		found[i].points = append(found[i].points, p)
	}
	s.forget(t - s.retention.Milliseconds())
	close(s.appended)
	s.appended = make(chan struct{})
	return timestamp.Time(t)
}

// Appended returns a channel that the next Append closes.
func (s *Store) Appended() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.appended
}

func (s *Store) lookup(l labels.Labels) *series {
	key := string(l.Bytes(nil))
	found, ok := s.series[key]
	if !ok {
		found = &series{labels: l}
		s.series[key] = found
	}
	return found
}

// forget drops what is older than t. Slices held by readers stay as they are.
func (s *Store) forget(t int64) {
	for key, one := range s.series {
		one.points = one.points[firstAt(one.points, t):]
		if len(one.points) == 0 {
			delete(s.series, key)
		}
	}
}

// seal promises that what a query up to t saw never changes. An instant that has not come yet cannot be promised, but
// for the millisecond by which clients round up.
func (s *Store) seal(t int64) {
	t = min(t, timestamp.FromTime(s.now())+1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = max(s.sealed, t)
}

// firstAt is the index of the first point at t or later.
func firstAt(points points, t int64) int {
	return sort.Search(len(points), func(i int) bool { return points[i].t >= t })
}
