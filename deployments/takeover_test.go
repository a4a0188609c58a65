package deployments_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
)

func TestAWorkerThatTakesOverReadsTheInstantThatWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.Replace(w.policy, "weight: 5, bake: 1m", "weight: 5, bake: 10h", 1)
		var mu sync.Mutex
		var read []time.Time
		w.verdict = func(string, int) analysis.Judgement {
			mu.Lock()
			defer mu.Unlock()
			read = append(read, time.Now())
			return analysis.Judgement{Verdict: analysis.Healthy, Data: true}
		}
		w.release("1.1.0")
		w.run("first", time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		died := make(chan error)
		go func() { died <- w.worker("first").Run(ctx) }()
		time.Sleep(11 * time.Second)
		mu.Lock()
		last := read[len(read)-1]
		mu.Unlock()
		time.Sleep(time.Until(last.Add(9 * time.Second)))
		cancel()
		<-died
		before := len(read)
		time.Sleep(3 * time.Second) // the instant at which the next reading was due passes
		w.run("second", time.Second)
		if n := len(read) - before; n != 1 {
			t.Errorf("%d readings in the first second of the worker that took over, want 1", n)
		}
		w.run("second", 18*time.Second)
		if n := len(read) - before; n > 4 {
			t.Errorf("%d readings in 20 s at an interval of 10 s", n)
		}
	})
}
