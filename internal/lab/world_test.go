package lab_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/internal/lab"
	"github.com/serin-cd/serin/internal/lab/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a lab with a stable 1.0.0 and a new 1.1.0, a flag that gives 1.1.0 a share of the users, and a client.
type world struct {
	*lab.World
	load  *service.Load
	api   v1.API
	share float64
	at    time.Time // of the last scrape
}

func newWorld(t *testing.T, c lab.Config, f service.Fault) *world {
	t.Helper()
	random, mu := rand.New(rand.NewPCG(1, 2)), sync.Mutex{}
	c.Service.Rand = func() float64 { mu.Lock(); defer mu.Unlock(); return random.Float64() }
	w := &world{at: time.Now()}
	var err error
	if w.World, err = lab.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	connections := &http.Transport{}
	t.Cleanup(func() {
		connections.CloseIdleConnections()
		if err := w.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for version, fault := range map[string]service.Fault{"1.0.0": {}, "1.1.0": f} {
		if err := w.Service.Start(t.Context(), version, fault); err != nil {
			t.Fatal(err)
		}
	}
	w.load = service.NewLoad(w.Service, func(_ context.Context, user string) (string, error) {
		if user != "" && c.Service.Rand() < w.share {
			return "1.1.0", nil
		}
		return "1.0.0", nil
	})
	client, err := api.NewClient(api.Config{Address: w.PromURL(), Client: &http.Client{Transport: connections}})
	if err != nil {
		t.Fatal(err)
	}
	w.api = v1.NewAPI(client)
	return w
}

// pass lets time pass at a share of traffic: so many scrapes, half a second apart, a hundred requests before each. The
// world's own scrapes are too seldom to matter, and its instants lie ahead of the clock.
func (w *world) pass(t *testing.T, share float64, scrapes int) {
	t.Helper()
	w.share = share
	for range scrapes {
		for range 100 {
			w.load.Request(t.Context())
		}
		at, err := w.Scraper.Scrape(t.Context(), w.at.Add(500*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		w.at = at
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w.load.Run(ended) // closes the kept connections
}

// ask returns the one value of the answer; false where the answer is empty.
func (w *world) ask(t *testing.T, expr string, at time.Time) (float64, bool) {
	t.Helper()
	v, _, _, err := w.api.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	vector, ok := v.(model.Vector)
	if !ok || len(vector) > 1 {
		t.Fatalf("%s: %v", expr, v)
	}
	if len(vector) == 0 {
		return 0, false
	}
	return float64(vector[0].Value), true
}

func (w *world) between(t *testing.T, expr string, low, high float64) {
	t.Helper()
	got, ok := w.ask(t, expr, w.at)
	if !ok || !(got >= low && got <= high) {
		t.Errorf("%s is %v (there: %t), want %v to %v", expr, got, ok, low, high)
	}
}

func (w *world) empty(t *testing.T, expr string) {
	t.Helper()
	if got, ok := w.ask(t, expr, w.at); ok {
		t.Errorf("%s is %v, want nothing", expr, got)
	}
}

const (
	allNew    = `sum(increase(http_requests_total{service="shop",version="1.1.0"}[3s]))`
	allOld    = `sum(increase(http_requests_total{service="shop",version="1.0.0"}[3s]))`
	badNew    = `sum(increase(http_requests_total{service="shop",version="1.1.0",code=~"5.."}[3s]))`
	slowNew   = `histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{version="1.1.0"}[3s])))`
	shareNew  = allNew + ` / (` + allNew + ` + ` + allOld + `)`
	seriesNew = `count(http_requests_total{version="1.1.0"})`
	seriesOld = `count(http_requests_total{version="1.0.0"})`
)

func seldom(o service.Options) lab.Config { return lab.Config{Service: o, Scrape: time.Hour} }

func TestAGoodVersionIsSeenGood(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{})
	w.pass(t, 0, 1)
	w.pass(t, 0.5, 7)
	w.between(t, shareNew, 0.35, 0.55) // one user in ten never gets it
	w.between(t, allNew+" + "+allOld, 599, 601)
	w.empty(t, badNew)
	w.between(t, slowNew, 0, 0.25)
	w.between(t, `sum(up)`, 2, 2)
}

func TestErrorsAreSeenAtTheirRate(t *testing.T) {
	w := newWorld(t, seldom(service.Options{Background: 0.002}), service.Fault{Kind: service.Errors, Rate: 0.18, FromShare: 2500})
	w.pass(t, 0.05, 7)
	w.between(t, badNew+" / "+allNew, 0, 0.05)
	w.pass(t, 0.25, 8)
	w.between(t, badNew+" / "+allNew, 0.09, 0.30)
	w.between(t, `sum(increase(http_requests_total{version="1.0.0",code=~"5.."}[3s])) / `+allOld, 0, 0.02)
}

func TestLatencyIsSeenInItsQuantile(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{Kind: service.Latency, Latency: 30 * time.Millisecond, Rate: 0.5})
	w.pass(t, 0.1, 8)
	w.between(t, slowNew, 0.025, 0.25)
	w.between(t, badNew+" or vector(0)", 0, 0)
}

func TestACrashTakesTheSeriesWhileStableHasData(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{Kind: service.Crash, FromShare: 2500})
	w.pass(t, 0.05, 7)
	w.between(t, seriesNew, 1, 1)
	w.pass(t, 0.25, 4)
	w.empty(t, seriesNew)
	w.between(t, seriesOld, 1, 1)
	w.between(t, `sum(up{version="1.1.0"})`, 0, 0)
	w.between(t, allNew, 0, 100) // a range still sees what was scraped before the crash
	if w.load.Tally.Of("1.1.0").Failed == 0 || w.Service.FirstBad("1.1.0").IsZero() {
		t.Errorf("no user saw the crash: %+v", w.load.Tally.All())
	}
}

func TestAVersionWithoutTrafficHasSeriesThatDoNotRise(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{Kind: service.NoTraffic})
	w.pass(t, 0.25, 8)
	w.between(t, seriesNew, 1, 1)
	w.between(t, allNew, 0, 0)
	w.empty(t, badNew)
}

func TestAVersionThatIgnoresTheFlagIsSeenInItsShare(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{Kind: service.IgnoresFlag, Rate: 0.3})
	w.pass(t, 0, 8)
	w.between(t, shareNew, 0.2, 0.4)
}

func TestAStoppedVersionIsGoneFromPrometheus(t *testing.T) {
	w := newWorld(t, seldom(service.Options{}), service.Fault{})
	w.pass(t, 0.5, 2)
	if err := w.Service.Stop(t.Context(), "1.1.0"); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 0, 1)
	w.empty(t, seriesNew)
	w.empty(t, `up{version="1.1.0"}`)
	if n := len(w.MetricsURLs()); n != 1 {
		t.Errorf("want one metrics page, got %d", n)
	}
}

func TestAWorldRunsByItselfAndItsPastStaysAsItWasAnswered(t *testing.T) {
	w := newWorld(t, lab.Config{Scrape: 10 * time.Millisecond}, service.Fault{Kind: service.Errors, Rate: 0.5})
	w.share, w.load.PerSecond = 0.5, 1000
	stop := w.Drive(t.Context(), w.load)
	type answer struct {
		at    time.Time
		value float64
		there bool
	}
	var answers []answer
	for {
		<-w.Store.Appended()
		at := time.Now()
		value, there := w.ask(t, badNew, at)
		answers = append(answers, answer{at, value, there})
		if value > 20 {
			break
		}
	}
	stop()
	for _, a := range answers {
		if value, there := w.ask(t, badNew, a.at); value != a.value || there != a.there {
			t.Errorf("at %s it was %v (%t), now %v (%t)", a.at, a.value, a.there, value, there)
		}
	}
}
