//go:build unix

package steps_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// processorTime is what this process has used: on a busy machine the time on the wall says little.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPassingTick is what a healthy reading that changes nothing takes of a rollout's state.
func BenchmarkPassingTick(b *testing.B) {
	r, _ := steps.NewRollout("r", "e", "s", "v", "", plan(), epoch)
	r, _ = r.Next(epoch, steps.Tick{})
	r, _ = r.Next(epoch, steps.Applied{Seq: 1, Target: steps.Traffic, Observed: 500, Confirmed: true})
	m := steps.Measured{At: epoch, Seq: 1, Verdicts: []analysis.Judgement{{Rule: "errors", Verdict: analysis.Healthy, Data: true, Reading: analysis.Reading{At: epoch}}}}
	r, _ = r.Next(epoch, m)
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		if _, effects := r.Next(epoch, m); effects != nil {
			b.Fatal("a passing tick has effects")
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/evaluation")
}
