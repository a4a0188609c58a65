//go:build e2e && unix

package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnOutageOfPrometheusHoldsAlertsOnceAndRollsNothingBack(t *testing.T) {
	t.Parallel()
	p := "prometheus: {url: PROMETHEUS, timeout: 2s}\n" + strings.ReplaceAll(policy(byVersionFlag), "defaults: {", "defaults: {alert_after: 5s, ")
	w := newWorld(t, p, "1.0.0", "1.1.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)

	w.prom.signal(t, syscall.SIGSTOP)
	stopped := time.Now()
	eventually(t, patience, func() error {
		if len(w.slack.heard("checkout 1.1.0 is held")) == 0 {
			return errNotYet
		}
		return nil
	})
	t.Logf("the alert came after %v: %q", time.Since(stopped), w.slack.heard("is held"))
	<-time.After(max(0, 20*time.Second-time.Since(stopped)))
	if shares := w.story.shares(t, "1.1.0"); len(shares) != 2 {
		t.Errorf("shares %v were confirmed while nobody could look", shares)
	}
	w.prom.signal(t, syscall.SIGCONT)

	ends(t, waits, 0, "promoted", "")
	if diff := cmp.Diff([]float64{5, 25, 50, 100}, w.story.shares(t, "1.1.0")); diff != "" {
		t.Errorf("shares confirmed (-want +got):\n%s", diff)
	}
	if told := w.slack.heard("checkout 1.1.0 is held"); len(told) != 1 {
		t.Errorf("Slack was told %d times: %q", len(told), told)
	}
	for _, name := range []string{"rollout.failed", "rollback.requested"} {
		if found := w.story.named(t, "1.1.0", name); len(found) > 0 {
			t.Errorf("%s was told: %s", name, found[0].Data.Reason)
		}
	}
}
