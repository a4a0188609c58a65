//go:build unix

package bench

import (
	"context"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// BenchmarkRollouts is one worker with so many live rollouts, each read every 30 s by 3 rules of 4 queries. In the
// run named Together all are due at one instant; else they are spread as the hashes of their policies' files are.
func BenchmarkRollouts(b *testing.B) {
	b.Run("10000", func(b *testing.B) { carry(b, world{Rollouts: 10_000, PerFile: 100}) })
	b.Run("10000Together", func(b *testing.B) { carry(b, world{Rollouts: 10_000, PerFile: 1000, Together: true}) })
	b.Run("100000", func(b *testing.B) { carry(b, world{Rollouts: 100_000, PerFile: 1000}) })
}

// carry lets a worker hold a world for two intervals.
func carry(b *testing.B, w world) {
	w.Dir, w.Interval = b.TempDir(), 30*time.Second
	for range b.N {
		nats := hear[endpoint](b, start(b, "nats", w))
		stub := hear[endpoint](b, start(b, "prometheus", nil))
		js := connect(b, nats)
		worker := start(b, "worker", job{Name: "a", NATS: nats, Prometheus: stub.URL, Rollouts: w.Rollouts, Interval: w.Interval, Intervals: 2, Verbose: testing.Verbose()})
		held := hear[holding](b, worker)
		written := stored(b, js)
		u := hear[usage](b, worker)
		written = stored(b, js) - written
		u.metrics(b, w, held.After, written)
		worker.stop()
	}
}

func (u usage) metrics(b *testing.B, w world, load time.Duration, written uint64) {
	n := float64(w.Rollouts)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(load.Seconds(), "s-to-hold-all")
	b.ReportMetric(u.CaughtUp.Seconds(), "s-to-read-all")
	b.ReportMetric(100*u.Processor.Seconds()/u.Wall.Seconds(), "%-of-one-core")
	b.ReportMetric(float64(u.Processor.Microseconds())/float64(max(u.Judged, 1)), "cpu-us/evaluation")
	b.ReportMetric(float64(u.AllocatedObjects)/float64(max(u.Judged, 1)), "allocs/evaluation")
	b.ReportMetric(ms(u.P50), "ms-late-p50")
	b.ReportMetric(ms(u.P99), "ms-late-p99")
	b.ReportMetric(ms(u.Max), "ms-late-max")
	b.ReportMetric(float64(u.Owed), "owed")
	b.ReportMetric(float64(u.Judged)/u.Wall.Seconds(), "evaluations/s")
	b.ReportMetric(float64(u.Owed-u.Done), "missed")
	b.ReportMetric(float64(u.Unusable), "unusable")
	b.ReportMetric(float64(written), "writes")
	b.ReportMetric(float64(u.Live)/n/1024, "KiB/rollout")
	b.ReportMetric(float64(u.Peak)/(1<<20), "MiB-peak")
	b.ReportMetric(float64(u.Goroutines)/n, "goroutines/rollout")
}

// BenchmarkFailOver kills a worker that holds a thousand rollouts, and reports when another one, which held none, has read
// the first of them, and each of them.
func BenchmarkFailOver(b *testing.B) {
	const kills = 3
	w := world{Dir: b.TempDir(), Rollouts: 1000, PerFile: 100, Interval: 30 * time.Second}
	nats := hear[endpoint](b, start(b, "nats", w))
	stub := hear[endpoint](b, start(b, "prometheus", nil))
	task := func(name string, waits bool) job {
		return job{Name: name, NATS: nats, Prometheus: stub.URL, Rollouts: w.Rollouts, Interval: w.Interval, Waits: waits}
	}
	for range b.N {
		var first, all time.Duration
		for range kills {
			holder := start(b, "worker", task("a", false))
			hear[holding](b, holder)
			other := start(b, "worker", task("b", true))
			hear[holding](b, other)
			<-time.After(time.Second) // in which it waits for a lease, as it would all day
			begin := time.Now()
			if err := holder.cmd.Process.Kill(); err != nil {
				b.Fatal(err)
			}
			t := hear[takenOver](b, other)
			first, all = max(first, t.First.Sub(begin)), max(all, t.Last.Sub(begin))
			other.stop()
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(first.Seconds(), "s-to-first")
		b.ReportMetric(all.Seconds(), "s-to-all")
	}
}

// connect is the benchmark's own connection: it looks at the server, beside the worker.
func connect(b *testing.B, e endpoint) natsjs.JetStream {
	b.Helper()
	nc, err := jetstream.Connect(b.Context(), e.URL, jetstream.ClientOptions{Token: e.Token})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	return js
}

// stored is how many messages the streams of the server, those of key-value buckets among them, have ever taken in.
func stored(b *testing.B, js natsjs.JetStream) (n uint64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	all := js.ListStreams(ctx)
	for s := range all.Info() {
		n += s.State.LastSeq
	}
	if err := all.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}
