//go:build unix

package prometheus_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
)

// processorTime is what this process has used, user and system.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure evaluates so many rollouts of one query each at every instant, and reports the processor time of one.
func measure(b *testing.B, querier analysis.Querier, rollouts int) {
	limit, began := 0.5, noon.Add(-time.Hour)
	rule := rules.Rule{Name: "latency", Max: &limit, Window: 2 * time.Minute,
		Query: rules.MustCompile(`histogram_quantile(0.99, sum by (le) (rate(d_bucket{service="{{service}}", version="{{version}}"}[{{window}}])))`)}
	requests := make([]analysis.Request, rollouts)
	for i := range requests {
		requests[i] = analysis.Request{Rule: rule, Since: began, Inside: began,
			Vars: rules.Vars{Service: fmt.Sprintf("service-%d", i), Version: "v1.4.2", StableVersion: "v1.4.1"}}
	}
	a := analysis.Analyst{Querier: querier}
	a.Measure(b.Context(), requests, noon) // opens the connections
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for b.Loop() {
		for _, j := range a.Measure(b.Context(), requests, noon) {
			if j.Verdict != analysis.Healthy {
				b.Fatal(j.Reason)
			}
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*rollouts), "cpu-ns/evaluation")
}

func BenchmarkEvaluationAlone(b *testing.B) { measure(b, client(b, analysis.Source{URL: stub(b)}), 1) }

func BenchmarkEvaluationOfHundred(b *testing.B) {
	measure(b, client(b, analysis.Source{URL: stub(b)}), 100)
}

// BenchmarkBareRequest is the floor: net/http alone, one connection, no decoding.
func BenchmarkBareRequest(b *testing.B) {
	url := stub(b)
	c := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(c.CloseIdleConnections)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		resp, err := c.Post(url, "application/x-www-form-urlencoded", bytes.NewReader(make([]byte, 150)))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/evaluation")
}
