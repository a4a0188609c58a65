package promlab

import (
	"context"
	"maps"
	"math"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Target is one /metrics page.
type Target struct {
	URL    string
	Job    string
	Labels map[string]string // added to every series that does not have them, and to `up`
}

// Scraper reads the targets' metrics into the store, as Prometheus does: it adds job, instance and `up`, and marks stale
// the series that a page no longer has, that cannot be read, or whose target is gone.
// Labels on the page win over the target's own (honor_labels: true).
type Scraper struct {
	Store   *Store
	Targets func() []Target // asked at each scrape
	Client  *http.Client    // http.DefaultClient if nil
	Timeout time.Duration   // of one page; default 1s
	Now     func() time.Time

	mu   sync.Mutex
	seen map[string]map[string]labels.Labels // target → series of its last scrape, by their bytes
}

// Run scrapes at the interval until the context ends. The samples of one round bear the instant at which the last page
// was read.
func (s *Scraper) Run(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		_, _ = s.scrape(ctx, s.Now) // its one error is the context's, and that ends the loop
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Scrape reads all targets once and stores what it read at one instant, which it returns: at, or later where at is
// sealed. It stores nothing where the context ends first.
func (s *Scraper) Scrape(ctx context.Context, at time.Time) (time.Time, error) {
	return s.scrape(ctx, func() time.Time { return at })
}

func (s *Scraper) scrape(ctx context.Context, at func() time.Time) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	targets := s.Targets()
	pages := make([][]Sample, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { pages[i] = s.page(ctx, t) })
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	var batch []Sample
	seen := map[string]map[string]labels.Labels{}
	for i, t := range targets {
		seen[t.URL] = index(pages[i])
		batch = append(batch, pages[i]...)
	}
	for target, before := range s.seen {
		batch = append(batch, vanished(before, seen[target])...)
	}
	s.seen = seen
	return s.Store.Append(at(), batch...), nil
}

// page reads one target. A page that cannot be read is `up` 0 and nothing else.
func (s *Scraper) page(ctx context.Context, t Target) []Sample {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	base := t.base()
	samples, err := fetch(ctx, s.Client, t.URL, base)
	up := 1.0
	if err != nil {
		samples, up = nil, 0
	}
	b := labels.NewBuilder(labels.FromMap(base))
	b.Set(model.MetricNameLabel, "up")
	return append(samples, Sample{Labels: b.Labels(), Value: up})
}

// base is the labels the target gives to its series.
func (t Target) base() map[string]string {
	base := map[string]string{"job": t.Job}
	if u, err := url.Parse(t.URL); err == nil {
		base["instance"] = u.Host
	}
	maps.Copy(base, t.Labels)
	return base
}

func index(samples []Sample) map[string]labels.Labels {
	out := make(map[string]labels.Labels, len(samples))
	for _, s := range samples {
		out[string(s.Labels.Bytes(nil))] = s.Labels
	}
	return out
}

// vanished are stale markers for the series that were there before and are not now.
func vanished(before, now map[string]labels.Labels) []Sample {
	var out []Sample
	for key, l := range before {
		if _, ok := now[key]; !ok {
			out = append(out, Sample{Labels: l, Value: math.Float64frombits(value.StaleNaN)})
		}
	}
	return out
}
