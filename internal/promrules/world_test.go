package promrules

import (
	"math"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/internal/lab/promlab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is where every case begins: before now, so that its instants can be sealed.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	scrape = 15 * time.Second // between samples
	before = 10               // scrapes before the first evaluation
	during = 44               // and from then on
)

// world is one store, asked by Prometheus' rule manager directly and by Serin's client over HTTP.
type world struct {
	handler atomic.Pointer[promlab.API]
	client  *prometheus.Client
	engine  *promql.Engine
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true, NoStepSubqueryIntervalFn: func(int64) int64 { return 1000 }})}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler.Load().ServeHTTP(rw, r) }))
	w.client = &prometheus.Client{Default: &analysis.Source{URL: server.URL, Timeout: time.Minute}}
	t.Cleanup(func() {
		w.client.Close()
		server.Close()
		w.engine.Close()
	})
	return w
}

// fill draws the samples of a case.
func (w *world) fill(d *dice, all []source) *promlab.Store {
	store := promlab.NewStore(time.Now, 2*time.Hour)
	for n := range before + during {
		var samples []promlab.Sample
		for i := range all {
			if s, ok := all[i].next(d); ok {
				samples = append(samples, s)
			}
		}
		store.Append(epoch.Add(time.Duration(n-before)*scrape), samples...)
	}
	w.handler.Store(promlab.NewAPI(store, time.Now))
	return store
}

// source draws one series' samples.
type source struct {
	metric string
	labels []string
	last   float64
	gone   int // scrapes until it comes back
	stays  int // percent of the samples that repeat the one before

	counter bool
	values  []float64 // that are drawn; none: those of the case's own expressions
}

func series(d *dice) []source {
	var out []source
	for _, metric := range []string{"a", "b", "c", "requests", "h"} {
		for _, job := range []string{"x", "y"} {
			for _, i := range []string{"0", "1"} {
				if d.chance(65) {
					s := source{metric: metric, labels: []string{"job", job, "i", i}, stays: one(d, 40, 80, 95)}
					if metric != "requests" {
						out = append(out, s)
						continue
					}
					for _, code := range []string{"200", "500"} {
						if d.chance(70) {
							c := s
							c.labels = []string{"job", job, "i", i, "code", code}
							out = append(out, c)
						}
					}
				}
			}
		}
	}
	return out
}

// next is the series' next sample; none while it is gone, which begins with a stale marker or without.
func (s *source) next(d *dice) (promlab.Sample, bool) {
	if s.gone > 0 {
		s.gone--
		return promlab.Sample{}, false
	}
	if d.chance(3) {
		s.gone = d.between(1, 12)
		if d.chance(70) {
			return promlab.Float(math.Float64frombits(value.StaleNaN), s.metric, s.labels...), true
		}
		return promlab.Sample{}, false
	}
	switch {
	case s.metric == "requests" || s.counter:
		if s.last += float64(d.between(0, 3)); d.chance(3) {
			s.last = 0
		}
	case s.metric == "h":
		s.last += float64(d.between(0, 3))
		if d.chance(97) {
			one := promlab.Float(0, s.metric, s.labels...)
			one.Histogram = native(s.last)
			return one, true
		}
	case s.values != nil:
		if !d.chance(s.stays) {
			s.last = one(d, append(s.values, math.NaN(), math.Inf(1))...)
		}
	default:
		if !d.chance(s.stays) {
			s.last = one(d, 0, 1, 2, 5, 10, 0.05, 0.5, -1, math.NaN(), math.Inf(1), math.Inf(-1), 0, 3)
		}
	}
	return promlab.Float(s.last, s.metric, s.labels...), true
}

// native is a histogram of so many observations.
func native(count float64) *histogram.FloatHistogram {
	return &histogram.FloatHistogram{Count: count, Sum: count * 1.5, PositiveSpans: []histogram.Span{{Offset: 1, Length: 1}}, PositiveBuckets: []float64{count}}
}
