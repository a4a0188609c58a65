//go:build e2e && unix

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAGoodReleaseWalksItsStepsAndIsPromoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0", "1.2.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)

	ends(t, w.release(t, "1.1.0"), 0, "promoted", "")
	if diff := cmp.Diff([]float64{5, 25, 50, 100}, w.story.shares(t, "1.1.0")); diff != "" {
		t.Errorf("shares confirmed (-want +got):\n%s", diff)
	}
	w.flagServesAll(t, "1.1.0")
	if got := w.slack.heard("checkout 1.1.0 promoted"); len(got) != 1 {
		t.Errorf("Slack heard %q", w.slack.heard(""))
	}

	w.publish(t, "serin.release.production.checkout", `{"version":"1.2.0"}`)
	w.story.await(t, 2*patience, "1.2.0", "rollout.promoted", -1)
	if e := w.story.one(t, "1.2.0", "release.accepted"); e.Data.Stable != "1.1.0" {
		t.Errorf("the release stands beside %q, want the one promoted before", e.Data.Stable)
	}
	w.flagServesAll(t, "1.2.0")
}
