package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/natskv"
	"github.com/serin-cd/serin/steps"
)

const benchPolicy = `service: shop
traffic: {version_flag: shop-version}
steps: [{weight: 5, bake: 1h}, 100]
recovery: 0s
defaults: {interval: 100ms, window: 1s, for: 0s, min_samples: 1}
rules:
  - name: errors
    query: max(shop_errors{version="{{version}}"})
    max: 1
`

// rig is a daemon with a Prometheus that answers what the benchmark wants.
type rig struct {
	d     *daemon
	value atomic.Int64
}

func newRig(b *testing.B) *rig {
	r := &rig{}
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"%d"]}]}}`, time.Now().Unix(), r.value.Load())
	}))
	b.Cleanup(prometheus.Close)
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(benchPolicy), 0o600); err != nil {
		b.Fatal(err)
	}
	env := Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
	files, findings, err := readPolicies(env, []string{"shop.yaml"})
	if err != nil || findings.Err() != nil {
		b.Fatal(err, findings)
	}
	ctx, cancel := context.WithCancel(b.Context())
	r.d, err = newDaemon(ctx, daemonConfig{Policies: files, NATS: natsFlags{data: "data"}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0",
		Prometheus: &analysis.Source{URL: prometheus.URL}, Log: slog.New(slog.DiscardHandler), Env: env})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.d.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		r.d.close()
	})
	flag, err := flags.Parse("shop-version", []byte(`{"state":"ENABLED","variants":{"v0":"v0"},"defaultVariant":"v0","targeting":{}}`))
	if err != nil {
		b.Fatal(err)
	}
	kv, err := r.d.js.KeyValue(ctx, r.d.names.Bucket(jetstream.FlagsBucket))
	if err == nil {
		_, err = natskv.Store{KV: kv}.Update(ctx, "production.shop-version", flag, 0)
	}
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// until follows the slot's journal until an entry is what is waited for.
func until(b *testing.B, entries <-chan deployments.Entry, is func(deployments.Entry) bool) deployments.Entry {
	b.Helper()
	patience := time.After(20 * time.Second)
	for {
		select {
		case e := <-entries:
			if e.Rev > 0 && is(e) {
				return e
			}
		case <-patience:
			b.Fatal("nothing happened for 20 s")
		}
	}
}

// releasesTimed are enough for a 99th percentile.
const releasesTimed = 100

// BenchmarkRelease takes versions to 5 % and back, many a round. It reports from the publishing of a release to its first
// exposure, confirmed; and from the arrival of the deciding reading to the flag confirmed off.
func BenchmarkRelease(b *testing.B) {
	r := newRig(b)
	slot := deployments.Slot{Environment: "production", Service: "shop"}
	entries, err := r.d.journal.Watch(b.Context(), slot.Partition(r.d.journal.Partitions()))
	if err != nil {
		b.Fatal(err)
	}
	var toExposure, toOff []time.Duration
	n := 0
	for b.Loop() {
		for range releasesTimed {
			n++
			exposure, off := thereAndBack(b, r, entries, n)
			toExposure, toOff = append(toExposure, exposure), append(toOff, off)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(n), "ms/release")
	b.ReportMetric(0, "ns/op")
	report(b, toExposure, "exposure")
	report(b, toOff, "off")
}

// thereAndBack takes the nth version to 5 % and back.
func thereAndBack(b *testing.B, r *rig, entries <-chan deployments.Entry, n int) (toExposure, toOff time.Duration) {
	r.value.Store(1) // there, which is ready, and no more than its limit
	begin := time.Now()
	slot := deployments.Slot{Environment: "production", Service: "shop"}
	rel := deployments.Release{Slot: slot, ID: fmt.Sprint("r", n), Version: fmt.Sprint("v", n)}
	if _, _, err := jetstream.PublishRelease(b.Context(), r.d.js, r.d.names, rel); err != nil {
		b.Fatal(err)
	}
	exposed := until(b, entries, func(e deployments.Entry) bool {
		return e.State.Rollout != nil && e.State.Rollout.Version == rel.Version && e.State.Rollout.Phase == steps.Baking
	})
	r.value.Store(2)
	decided := until(b, entries, func(e deployments.Entry) bool { return e.State.Rollout.Failure != nil })
	off := decided
	if off.State.Rollout.Phase != steps.Ended {
		off = until(b, entries, func(e deployments.Entry) bool { return e.State.Rollout.Phase == steps.Ended })
	}
	return exposed.At.Sub(begin), off.At.Sub(decided.At)
}

func report(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-to-"+what+"-p50")
	b.ReportMetric(float64(took[(len(took)*99)/100].Microseconds())/1000, "ms-to-"+what+"-p99")
}

// BenchmarkStart is from nothing to ready, with an empty data directory.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		env := Env{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now, Dir: dir}
		d, err := newDaemon(b.Context(), daemonConfig{NATS: natsFlags{data: "data"}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0",
			Log: slog.New(slog.DiscardHandler), Env: env})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		d.close()
		b.StartTimer()
	}
}

func TestTheBenchmarksPolicyIsOne(t *testing.T) {
	if _, findings := deployments.ParsePolicies("bench.yaml", []byte(strings.TrimSpace(benchPolicy))); findings.Err() != nil {
		t.Error(findings)
	}
}
