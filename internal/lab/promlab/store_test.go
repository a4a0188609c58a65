package promlab_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

func TestIncreaseOverAFewScrapesIsExact(t *testing.T) {
	l := newLab(t)
	l.ramp("c", 50, 20)
	for _, c := range []struct {
		query string
		want  float64
	}{
		{"increase(c[3s])", 300}, {"rate(c[3s])", 100}, {"increase(c[5s])", 500}, {"count_over_time(c[3s])", 6},
	} {
		if got := l.value(t, c.query, epoch.Add(8*time.Second)); got < c.want-1e-6 || got > c.want+1e-6 {
			t.Errorf("%s: want %v, got %v", c.query, c.want, got)
		}
	}
}

func TestAnInstantOnceAskedNeverChanges(t *testing.T) {
	l := newLab(t)
	l.ramp("c", 1, 4)
	asked := epoch.Add(10 * time.Second)
	before := l.ask(t, "c", asked)
	stored := l.store.Append(asked.Add(-time.Second), promlab.Sample{Labels: series("c"), Value: 99})
	if !stored.After(asked) {
		t.Errorf("a late sample was stored at %s, not after %s", stored, asked)
	}
	if diff := cmp.Diff(before, l.ask(t, "c", asked)); diff != "" {
		t.Error(diff)
	}
	if got := l.value(t, "c", asked.Add(time.Second)); got != 99 {
		t.Errorf("the late sample is not seen afterwards: %v", got)
	}
}

func TestAQueryDoesNotSeeWhatComesAfterItsInstant(t *testing.T) {
	l := newLab(t)
	l.ramp("c", 1, 20)
	if got := l.value(t, "c", epoch.Add(4*time.Second)); got != 8 {
		t.Errorf("want 8, got %v", got)
	}
}

func TestConcurrentAppendsAndQueriesAgreeAfterwards(t *testing.T) {
	l := newLab(t)
	type answer struct {
		at   time.Time
		text string
	}
	answers := make([][]answer, 4)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for i := range 400 {
			l.store.Append(time.Now(), promlab.Sample{Labels: series("c"), Value: float64(i)})
		}
		close(done)
	})
	for i := range answers {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					at := time.Now()
					answers[i] = append(answers[i], answer{at, l.ask(t, "count_over_time(c[10s])", at)})
				}
			}
		})
	}
	wg.Wait()
	for _, mine := range answers {
		for _, a := range mine {
			if diff := cmp.Diff(a.text, l.ask(t, "count_over_time(c[10s])", a.at)); diff != "" {
				t.Fatalf("asked again at %s: %s", a.at, diff)
			}
		}
	}
}

func TestRetentionForgetsOldSamplesAndEmptySeries(t *testing.T) {
	store := promlab.NewStore(time.Now, time.Minute)
	l := newLabOn(t, store)
	store.Append(epoch, promlab.Sample{Labels: series("gone"), Value: 1})
	store.Append(epoch.Add(2*time.Minute), promlab.Sample{Labels: series("here"), Value: 1})
	if got := l.ask(t, `{__name__=~"gone|here"}[5m]`, epoch.Add(2*time.Minute)); got != "here =>\n1 @[1767225720]" {
		t.Errorf("got %s", got)
	}
}

func TestNativeHistogramsAnswerTheSameTwice(t *testing.T) {
	l := newLab(t)
	h := &histogram.FloatHistogram{
		Schema: 0, Count: 10, Sum: 20, PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []float64{4, 6},
	}
	l.store.Append(epoch, promlab.Sample{Labels: series("h"), Histogram: h})
	h.Count, h.PositiveBuckets[0] = 1000, 1000 // the caller's copy is the caller's
	twice := func(query string) string {
		first := l.ask(t, query, epoch)
		if diff := cmp.Diff(first, l.ask(t, query, epoch)); diff != "" {
			t.Errorf("%s differs the second time: %s", query, diff)
		}
		return first
	}
	twice("h * 2")
	twice("sum(h) + sum(h)")
	if got := l.value(t, "histogram_count(h)", epoch); got != 10 {
		t.Errorf("want 10 observations, got %v", got)
	}
	if got, want := twice("h"), "h => Count: 10.000000, Sum: 20.000000, Buckets: [(0.5,1]:4 (1,2]:6] @[1767225600]"; got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}
