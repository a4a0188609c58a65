package promlab_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

// page is a /metrics page whose text a test changes; an empty one answers 500.
type page struct {
	*httptest.Server
	text atomic.Pointer[string]
}

func newPage(t *testing.T, text string) *page {
	t.Helper()
	p := &page{}
	p.set(text)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if *p.text.Load() == "" {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, *p.text.Load())
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *page) set(text string) { p.text.Store(&text) }

func (p *page) target(extra map[string]string) promlab.Target {
	return promlab.Target{URL: p.URL + "/metrics", Job: "shop", Labels: extra}
}

// rounds scrapes one after the other, a second apart, and returns the instants.
func rounds(t *testing.T, s *promlab.Scraper, between ...func()) []time.Time {
	t.Helper()
	var out []time.Time
	for i, change := range between {
		change()
		at, err := s.Scrape(t.Context(), epoch.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, at)
	}
	return out
}

func same() {}

func TestScrapedSeriesBearJobInstanceAndTargetLabels(t *testing.T) {
	l, p := newLab(t), newPage(t, "# TYPE c counter\nc{version=\"own\"} 3\nc 4\n")
	s := &promlab.Scraper{Store: l.store, Client: p.Client(), Targets: func() []promlab.Target {
		return []promlab.Target{p.target(map[string]string{"version": "2"})}
	}}
	at := rounds(t, s, same)
	instance := strings.TrimPrefix(p.URL, "http://")
	for query, want := range map[string]string{
		`c{version="own"}`: `c{instance="` + instance + `", job="shop", version="own"} => 3 @[1767225600]`,
		`c{version="2"}`:   `c{instance="` + instance + `", job="shop", version="2"} => 4 @[1767225600]`,
		`up`:               `up{instance="` + instance + `", job="shop", version="2"} => 1 @[1767225600]`,
	} {
		if diff := cmp.Diff(want, l.ask(t, query, at[0])); diff != "" {
			t.Error(diff)
		}
	}
}

func TestHistogramBoundsAreThoseOfPrometheus3(t *testing.T) {
	l := newLab(t)
	p := newPage(t, "# TYPE h histogram\nh_bucket{le=\"0.25\"} 1\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 5\nh_count 4\n")
	s := &promlab.Scraper{Store: l.store, Client: p.Client(), Targets: func() []promlab.Target { return []promlab.Target{p.target(nil)} }}
	at := rounds(t, s, same)
	for bound, want := range map[string]float64{"0.25": 1, "1.0": 3, "+Inf": 4} {
		if got := l.value(t, `h_bucket{le="`+bound+`"}`, at[0]); got != want {
			t.Errorf("le=%s: want %v, got %v", bound, want, got)
		}
	}
}

func TestWhatVanishesIsStaleAtOnce(t *testing.T) {
	const both = "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n"
	for _, c := range []struct {
		name   string
		change func(p *page, targets *[]promlab.Target)
		want   map[string]string // query → answer without labels
	}{
		{"a series leaves the page", func(p *page, _ *[]promlab.Target) { p.set("# TYPE a gauge\na 1\n") },
			map[string]string{"sum(a)": "1", "sum(b)": "", "sum(up)": "1"}},
		{"the page breaks", func(p *page, _ *[]promlab.Target) { p.set("") },
			map[string]string{"sum(a)": "", "sum(b)": "", "sum(up)": "0"}},
		{"the page is not the text format", func(p *page, _ *[]promlab.Target) { p.set("<html>") },
			map[string]string{"sum(a)": "", "sum(b)": "", "sum(up)": "0"}},
		{"the process is gone", func(p *page, _ *[]promlab.Target) { p.Close() },
			map[string]string{"sum(a)": "", "sum(b)": "", "sum(up)": "0"}},
		{"the target is gone", func(_ *page, targets *[]promlab.Target) { *targets = nil },
			map[string]string{"sum(a)": "", "sum(b)": "", "sum(up)": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, p := newLab(t), newPage(t, both)
			targets := []promlab.Target{p.target(nil)}
			s := &promlab.Scraper{Store: l.store, Client: p.Client(), Targets: func() []promlab.Target { return targets }}
			at := rounds(t, s, same, func() { c.change(p, &targets) })
			for query, want := range c.want {
				if want != "" {
					want = "{} => " + want + " @[1767225601]"
				}
				if diff := cmp.Diff(want, l.ask(t, query, at[1])); diff != "" {
					t.Errorf("%s: %s", query, diff)
				}
			}
			if got := l.value(t, "sum(b)", at[1].Add(-time.Millisecond)); got != 1 {
				t.Errorf("b was there before: %v", got)
			}
		})
	}
}

func TestASeriesThatComesBackIsThereAgain(t *testing.T) {
	l, p := newLab(t), newPage(t, "# TYPE a gauge\na 1\n")
	s := &promlab.Scraper{Store: l.store, Client: p.Client(), Targets: func() []promlab.Target { return []promlab.Target{p.target(nil)} }}
	at := rounds(t, s, same, func() { p.set("") }, func() { p.set("# TYPE a gauge\na 2\n") })
	if got := l.value(t, "a", at[2]); got != 2 {
		t.Errorf("want 2, got %v", got)
	}
}

func TestAnInterruptedScrapeStoresNothing(t *testing.T) {
	l, p := newLab(t), newPage(t, "# TYPE a gauge\na 1\n")
	s := &promlab.Scraper{Store: l.store, Client: p.Client(), Targets: func() []promlab.Target { return []promlab.Target{p.target(nil)} }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Scrape(ctx, epoch); err == nil {
		t.Error("want the context's error")
	}
	if got := l.ask(t, "up", epoch.Add(time.Second)); got != "" {
		t.Errorf("want nothing, got %s", got)
	}
}

func TestRunScrapesUntilItsContextEnds(t *testing.T) {
	l, p := newLab(t), newPage(t, "# TYPE a gauge\na 1\n")
	s := &promlab.Scraper{Store: l.store, Client: p.Client(), Now: time.Now, Targets: func() []promlab.Target { return []promlab.Target{p.target(nil)} }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	first := l.store.Appended()
	go func() { s.Run(ctx, time.Millisecond); close(ended) }()
	<-first
	<-l.store.Appended()
	cancel()
	<-ended
	if got := l.value(t, "a", time.Now()); got != 1 {
		t.Errorf("want 1, got %v", got)
	}
}
