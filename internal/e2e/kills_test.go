//go:build e2e && unix

package e2e

import (
	"fmt"
	"testing"
	"time"
)

func TestAFleetOutlivesItsWorkerBeingKilledFiveTimes(t *testing.T) {
	t.Parallel()
	w, listen := newEmbeddedWorld(t, fleetPolicies(), "1.0.0", "1.1.0", "1.2.0")
	d := w.serve(t, "--listen", listen)
	w.reachEmbedded(t)
	w.stock(t)
	sendUsers(t, w.everywhere())
	w.versions["1.2.0"].fault(t, "errors=1")
	for i := range fleet {
		version := "1.1.0"
		if i == fleet-1 {
			version = "1.2.0"
		}
		w.publish(t, "serin.release.production."+member(i), fmt.Sprintf(`{"version":%q}`, version))
	}
	for n := range 5 {
		// In the middle of it: while releases are taken in, flags written, readings asked.
		w.awaitAll(t, 20+60*n, func(e event) bool { return true })
		d.kill(t)
		began := time.Now()
		d = w.serve(t, "--listen", listen)
		t.Logf("ready %v after kill %d", time.Since(began).Round(time.Second/100), n+1)
	}
	w.awaitAll(t, fleet, func(e event) bool { return e.Name == "rollout.promoted" || e.Name == "rollout.restored" })
	if n := len(w.story.named(t, "1.1.0", "rollout.promoted")); n != fleet-1 {
		t.Errorf("%d of %d were promoted", n, fleet-1)
	}
	w.story.one(t, "1.2.0", "rollout.restored")
	w.story.unbroken(t)
	w.story.wellTold(t)
}
