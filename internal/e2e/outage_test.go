//go:build e2e && unix

package e2e

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnOutageOfPrometheusHoldsAlertsOnceAndRollsNothingBack(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		begin, end func(t *testing.T, p *prometheus)
	}{
		"it hangs": {
			begin: func(t *testing.T, p *prometheus) { p.signal(t, syscall.SIGSTOP) },
			end:   func(t *testing.T, p *prometheus) { p.signal(t, syscall.SIGCONT) },
		},
		"it is gone": {
			begin: func(t *testing.T, p *prometheus) { p.kill(t) },
			end:   func(t *testing.T, p *prometheus) { p.run(t, strings.TrimPrefix(p.url, "http://")) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outlive(t, outage.begin, outage.end)
		})
	}
}

// outlive promotes a release with 20 s without Prometheus in its middle.
func outlive(t *testing.T, begin, end func(*testing.T, *prometheus)) {
	p := "prometheus: {url: PROMETHEUS, timeout: 2s}\n" + strings.ReplaceAll(policy(byVersionFlag), "defaults: {", "defaults: {alert_after: 5s, ")
	w := newWorld(t, p, "1.0.0", "1.1.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)

	begin(t, w.prom)
	stopped := time.Now()
	eventually(t, patience, func() error {
		if len(w.slack.heard("checkout 1.1.0 is held")) == 0 {
			return errors.New("Slack has not heard of the hold")
		}
		return nil
	})
	t.Logf("the alert came after %v", time.Since(stopped))
	<-time.After(max(0, 20*time.Second-time.Since(stopped)))
	if shares := w.story.shares(t, "1.1.0"); len(shares) != 2 {
		t.Errorf("shares %v were confirmed while nobody could look", shares)
	}
	end(t, w.prom)

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
