package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// orderedPolicies are of a service whose steps wait for people, and of one whose Prometheus is away.
const orderedPolicies = `
service: checkout
prometheus: PROMETHEUS
traffic: {version_flag: checkout-version}
steps: [{weight: 5, bake: 1h, approval: manual}, {weight: 50, bake: 1h}, {weight: 100, bake: 1h}]
defaults: {interval: 1s, window: 1s}
rules: [{name: up, query: 'up{version="{{version}}"}', min: 1}]
---
service: cart
prometheus: http://127.0.0.1:1
ready: none
traffic: {version_flag: cart-version}
steps: [{weight: 5, bake: 1h, approval: manual}, {weight: 100, bake: 1h}]
defaults: {interval: 1s, window: 1s}
rules: [{name: up, query: 'up', min: 1}]
`

// ordered is a daemon on its own data directory, and the commands against it.
type ordered struct {
	t   *testing.T
	env Env
	out *strings.Builder
	d   *daemon
}

func newOrdered(t *testing.T, policies ...string) *ordered {
	t.Helper()
	return newOrderedWith(t, func(*daemonConfig) {}, policies...)
}

// newOrderedWith is newOrdered with more in the daemon's configuration.
func newOrderedWith(t *testing.T, change func(*daemonConfig), policies ...string) *ordered {
	t.Helper()
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"1"]}]}}`, time.Now().Unix())
	}))
	t.Cleanup(prometheus.Close)
	o := &ordered{t: t, out: &strings.Builder{}}
	dir := t.TempDir()
	var names []string
	for i, text := range append([]string{orderedPolicies}, policies...) {
		names = append(names, fmt.Sprintf("policies-%d.yaml", i+1))
		if err := os.WriteFile(filepath.Join(dir, names[i]), []byte(strings.ReplaceAll(text, "PROMETHEUS", prometheus.URL)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.env = Env{Stdout: o.out, Stderr: o.out, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
	files, findings, err := readPolicies(o.env, names)
	if err != nil || findings.Err() != nil {
		t.Fatal(err, findings)
	}
	cfg := daemonConfig{Policies: files, NATS: natsFlags{data: "data"}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Env: o.env}
	change(&cfg)
	o.d, err = newDaemon(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		o.d.close()
	})
	return o
}

// serin runs a command and returns its exit status and what it said.
func (o *ordered) serin(args ...string) (int, string) {
	o.t.Helper()
	o.out.Reset()
	code := run(o.t.Context(), append(args, "--data", "data"), o.env)
	return code, o.out.String()
}

func (o *ordered) do(args ...string) {
	o.t.Helper()
	if code, said := o.serin(args...); code != exitOK {
		o.t.Fatalf("serin %s: %d: %s", strings.Join(args, " "), code, said)
	}
}

// until waits for a state of a slot's rollout.
func (o *ordered) until(service string, what func(steps.Rollout) bool) deployments.Entry {
	o.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-again.C {
		e, err := o.d.journal.Last(o.t.Context(), deployments.Slot{Environment: "production", Service: service})
		if err == nil && e.State.Rollout != nil && what(*e.State.Rollout) {
			return e
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("%s: waited in vain: %s, %v", service, e.Note, err)
		}
	}
}

func in(p steps.Phase) func(steps.Rollout) bool {
	return func(r steps.Rollout) bool { return r.Phase == p }
}

func TestOrdersOfAPerson(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("while nothing stands against them", func(t *testing.T) {
		o := newOrdered(t)
		o.do("flags", "set", "checkout-version", "1.0.0")
		o.do("release", "checkout", "1.1.0")
		o.until("checkout", in(steps.Baking))
		if code, said := o.serin("retry", "checkout"); code != exitNo || !strings.Contains(said, "retry means nothing now") {
			t.Errorf("retry: %d: %s", code, said)
		}
		o.do("pause", "checkout", "--by", "ada", "--reason", "lunch")
		o.until("checkout", func(r steps.Rollout) bool { return r.Paused })
		o.do("resume", "checkout")
		o.do("promote", "checkout")
		o.until("checkout", in(steps.AwaitingApproval))
		o.do("promote", "checkout", "--full", "--by", "ada", "--reason", "known to be good")
		e := o.until("checkout", func(r steps.Rollout) bool { return r.Outcome == steps.Promoted })
		if e.State.Stable != "1.1.0" {
			t.Errorf("stable is %s", e.State.Stable)
		}
		if code, said := o.serin("replay", e.Rollout); code != exitOK || !strings.Contains(said, fmt.Sprintf("%d of %[1]d follow from their record\n", e.Rev)) {
			t.Errorf("replay: %d: %s", code, said)
		}
		if code, said := o.serin("replay", "checkout-nothing"); code != exitNo || !strings.Contains(said, "serin history") {
			t.Errorf("replay of nothing: %d: %s", code, said)
		}
		for output, want := range map[string][]string{
			"text":     {"checkout 1.1.0 in production: promoted\n", "a person ended the bakes of all steps, by ada (unverified): known to be good", "/graph?g0.expr=up", "healthy"},
			"markdown": {"## checkout 1.1.0 in production: promoted\n", "| up | healthy |", "```promql\nup{version=\"1.1.0\"}\n```"},
			"json":     {`"outcome": "promoted"`, `"decides": true`, `"by": "ada (unverified)"`},
		} {
			code, said := o.serin("explain", e.Rollout, "-o", output)
			for _, w := range want {
				if code != exitOK || !strings.Contains(said, w) {
					t.Errorf("explain -o %s: %d: no %q in %s", output, code, w, said)
				}
			}
		}
		if code, said := o.serin("abort", "checkout"); code != exitNo || !strings.Contains(said, "means nothing now") {
			t.Errorf("abort after the end: %d: %s", code, said)
		}
	})
	t.Run("while Prometheus is away", func(t *testing.T) {
		o := newOrdered(t)
		o.do("flags", "set", "cart-version", "1.0.0")
		o.do("release", "cart", "1.1.0")
		o.until("cart", in(steps.Baking))
		o.do("abort", "cart", "--by", "ada", "--reason", "wrong build")
		e := o.until("cart", in(steps.Ended))
		r := e.State.Rollout
		if r.Outcome != steps.Restored || r.Cause != steps.ByPerson || r.Confirmed != 0 || r.Failure.Reason != "wrong build" || !strings.HasPrefix(r.Failure.By, "ada") {
			t.Errorf("%s %s at %v, by %q: %q", r.Outcome, r.Cause, r.Confirmed, r.Failure.By, r.Failure.Reason)
		}
		if o.do("release", "cart", "1.1.0"); o.until("cart", in(steps.Baking)).State.Rollout.ID == r.ID {
			t.Error("the same version again is no new attempt")
		}
		before, _ := o.d.journal.Last(t.Context(), e.Slot)
		o.do("release", "cart", "1.1.0")
		if after, err := o.d.journal.Last(t.Context(), e.Slot); err != nil || after.State.Rollout.ID != before.State.Rollout.ID {
			t.Errorf("a release under way, once more: %v", err)
		}
		var s struct{ Rollout steps.Rollout }
		_, said := o.serin("status", "cart", "-o", "json")
		if err := json.Unmarshal([]byte(said), &s); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	})
}
