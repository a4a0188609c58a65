package deployments_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
	"github.com/serin-cd/serin/steps"
)

// A worker's idle cost does not grow with history: what has ended has no runner, no timer and no goroutine.
func TestFinishedSlotsHaveNoRunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i, s := range journaltest.Slots(slot.Partition(journaltest.Partitions), 200) {
			phase := steps.Ended
			if i == 0 {
				phase = steps.Baking
			}
			e := journaltest.Entry(s, 1, 0)
			e.State.Rollout = &steps.Rollout{ID: fmt.Sprintf("r-%d", i), Phase: phase, Paused: true}
			if _, err := w.journal.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		metrics := prometheus.NewRegistry()
		worker := w.worker("one")
		worker.Metrics = deployments.NewMetrics(metrics)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- worker.Run(ctx) }()
		synctest.Wait()
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		running := -1.0
		for _, f := range families {
			if f.GetName() == "serin_rollouts" {
				running = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		if running != 1 {
			t.Errorf("%v of 200 slots have a runner, want the live one", running)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}
