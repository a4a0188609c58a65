package deployments_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/lab/promlab"
	"github.com/serin-cd/serin/steps"
)

// tenLines is the README's first policy.
const tenLines = `service: checkout
prometheus: http://127.0.0.1:9090
traffic: {version_flag: checkout-version}
rules:
  - name: error-rate
    bad: http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="{{version}}"}
    max: 5%
`

// engine asks the real PromQL engine over its own API, without a network: fake time stands still while one is used.
type engine struct {
	api  *promlab.API
	shop *shop
}

func (e engine) Query(_ context.Context, qs []analysis.Query, at time.Time) []analysis.Result {
	out := make([]analysis.Result, len(qs))
	for i, q := range qs {
		text, err := q.Template.Render(q.Vars)
		if e.shop.down.Load() {
			err = errors.New("connection refused")
		}
		if err != nil {
			out[i].Err = err
			continue
		}
		out[i] = e.ask(text, at)
	}
	return out
}

func (e engine) ask(text string, at time.Time) analysis.Result {
	form := url.Values{"query": {text}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	w := httptest.NewRecorder()
	e.api.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/query?"+form.Encode(), nil))
	var body struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	r := analysis.Result{Expr: text}
	if r.Err = json.Unmarshal(w.Body.Bytes(), &body); r.Err == nil && body.Error != "" {
		r.Err = errors.New(body.Error)
	}
	for _, s := range body.Data.Result {
		value, err := strconv.ParseFloat(s.Value[1].(string), 64)
		if err != nil {
			r.Err = err
		}
		r.Samples = append(r.Samples, analysis.Sample{Labels: s.Metric, Value: value})
	}
	return r
}

// shop is a service with traffic, scraped every 15 s: its versions get what the flag gives them.
type shop struct {
	w         *world
	store     *promlab.Store
	perMinute float64
	errors    func(version string) float64 // share of a version's answers
	label     func(version string) string  // the version label it exposes
	counts    map[string]float64
	down      atomic.Bool // Prometheus: it neither scrapes nor answers
}

// run scrapes until ctx ends.
func (s *shop) run(ctx context.Context, versions ...string) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			s.scrape(at, versions)
		}
	}
}

func (s *shop) scrape(at time.Time, versions []string) {
	rest := s.perMinute / 4
	for _, v := range versions {
		share, def := s.w.served(v)
		requests := float64(share) / 10000 * s.perMinute / 4
		if v == def {
			continue
		}
		rest -= requests
		s.serve(at, v, requests)
	}
	_, def := s.w.served("")
	s.serve(at, def, rest)
}

func (s *shop) serve(at time.Time, version string, requests float64) {
	bad := requests * s.errors(version)
	for code, n := range map[string]float64{"200": requests - bad, "500": bad} {
		key := version + code
		if s.counts[key] += n; code == "500" && s.counts[key] == 0 {
			continue // a healthy service never has an error series
		}
		if !s.down.Load() {
			s.store.Append(at, promlab.Float(float64(int(s.counts[key])), "http_requests_total", "service", "checkout",
				"version", s.label(version), "code", code))
		}
	}
}

// open starts a worker and a shop on the real engine.
func open(t *testing.T, policy string, change func(*shop)) (*world, *shop, func()) {
	w := newWorld(t)
	w.policy = policy
	s := &shop{w: w, store: promlab.NewStore(time.Now, time.Hour), perMinute: 350, counts: map[string]float64{},
		errors: func(string) float64 { return 0 }, label: func(v string) string { return v }}
	change(s)
	worker := w.worker("one")
	worker.Analyst = analysis.Analyst{Querier: engine{promlab.NewAPI(s.store, time.Now), s}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	go func() { s.run(ctx, "1.1.0", "1.1.1"); done <- struct{}{} }()
	go func() { _ = worker.Run(ctx); done <- struct{}{} }()
	return w, s, func() { cancel(); <-done; <-done }
}

// settle waits in fake time until the slot is at rest.
func (w *world) settle(limit time.Duration) *steps.Rollout {
	w.t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(time.Second) {
		if s := w.last().State; s.Rollout != nil && !s.Live() && len(s.Queue) == 0 {
			return s.Rollout
		}
	}
	w.t.Fatalf("not at rest after %v: %s", limit, w.last().Note)
	return nil
}

func TestAServiceWith350RequestsAMinutePassesWithTheTenLinePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, stop := open(t, tenLines, func(*shop) {})
		defer stop()
		w.release("1.1.0")
		begin := time.Now()
		r := w.settle(2 * time.Hour)
		if r.Outcome != steps.Promoted {
			t.Fatalf("%s %s: %s", r.Outcome, r.Cause, w.last().Note)
		}
		if took := time.Since(begin); took > 35*time.Minute {
			t.Errorf("it took %v", took)
		}
		w.replay()
		for _, e := range w.events() {
			if e.Severity != deployments.Info {
				t.Errorf("a healthy release raised %s: %s", e.Name, e.Data.Reason)
			}
		}
	})
}

func TestErrorsAreTakenBackAndTheFixIsNotJudgedOnThem(t *testing.T) {
	for name, c := range map[string]struct{ query, label string }{
		"with {{version}}":      {"{{version}}", ""},
		`with version="canary"`: {"canary", "canary"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				policy := fmt.Sprintf("service: checkout\ntraffic: {version_flag: checkout-version}\nrules:\n  - name: error-rate\n"+
					"    bad: http_requests_total{version=\"%[1]s\",code=~\"5..\"}\n    total: http_requests_total{version=\"%[1]s\"}\n    max: 5%%\n", c.query)
				w, _, stop := open(t, policy, func(s *shop) {
					if c.label != "" {
						s.label = func(v string) string {
							return map[bool]string{true: "canary", false: "stable"}[v == "1.1.0" || v == "1.1.1"]
						}
					}
					s.errors = func(v string) float64 { return map[bool]float64{true: 0.3, false: 0}[v == "1.1.0"] }
				})
				defer stop()
				w.release("1.1.0")
				for w.last().State.Rollout.Failure == nil {
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute)
				w.release("1.1.1")
				r := w.settle(3 * time.Hour)
				if r.Version != "1.1.1" || r.Outcome != steps.Promoted {
					t.Errorf("%s: %s %s: %s", r.Version, r.Outcome, r.Cause, w.last().Note)
				}
				w.replay()
			})
		})
	}
}

func TestAnOutageOfTenMinutesHoldsAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s, stop := open(t, tenLines, func(*shop) {})
		defer stop()
		w.release("1.1.0")
		time.Sleep(8 * time.Minute) // at 25 %
		s.down.Store(true)
		time.Sleep(10 * time.Minute)
		s.down.Store(false)
		r := w.settle(3 * time.Hour)
		if r.Outcome != steps.Promoted {
			t.Fatalf("%s %s: %s", r.Outcome, r.Cause, w.last().Note)
		}
		told := 0
		for _, e := range w.events() {
			if e.Severity != deployments.Info {
				told++
			}
		}
		if told != 1 {
			t.Errorf("people were told %d times", told)
		}
	})
}
