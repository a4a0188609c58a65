//go:build e2e && unix

package e2e

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// exposed is a world in the middle of a rollout, at 5 %.
func exposed(t *testing.T) (w *world, d *daemon, waits *process) {
	t.Helper()
	w = newWorld(t, "confirm_within: 10s\n"+strings.ReplaceAll(policy(byVersionFlag), "defaults: {", "defaults: {alert_after: 10s, "), "1.0.0", "1.1.0", "1.2.0")
	d = w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits = w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 5)
	return w, d, waits
}

func (w *world) removeFlag(t *testing.T) {
	t.Helper()
	kv, err := w.js.KeyValue(t.Context(), "serin_flags")
	if err == nil {
		err = kv.Delete(t.Context(), "production.checkout-version")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFlagThatIsRemovedInTheMiddleHoldsUntilAPersonEndsIt(t *testing.T) {
	t.Parallel()
	w, _, waits := exposed(t)
	w.removeFlag(t)
	eventually(t, patience, func() error {
		if len(w.slack.heard("checkout 1.1.0 is held")) == 0 {
			return errors.New("Slack has not heard of the hold")
		}
		return nil
	})
	if _, said := w.run(t, "status", "checkout"); !strings.Contains(said, "no data for error-rate, p95 (no requests)") {
		t.Errorf("status: %s", said)
	}
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.do(t, "abort", "checkout", "--reason", "the flag was removed")
	ends(t, waits, 5, "restored", "person")
	w.flagServesAll(t, "1.0.0")
	ends(t, w.release(t, "1.2.0"), 0, "promoted", "")
	w.story.wellTold(t)
}

func TestAnAbortWithoutItsFlagIsUnconfirmedUntilTheFlagIsBack(t *testing.T) {
	t.Parallel()
	w, _, waits := exposed(t)
	w.removeFlag(t)
	w.do(t, "abort", "checkout", "--reason", "try")
	w.story.await(t, patience, "1.1.0", "rollback.failed", -1)
	if _, said := w.run(t, "status", "checkout"); !strings.Contains(said, "reverting, unconfirmed") || !strings.Contains(said, "no such flag") {
		t.Errorf("status: %s", said)
	}
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	ends(t, waits, 5, "restored", "person")
	w.story.one(t, "1.1.0", "rollback.completed")
	w.flagServesAll(t, "1.0.0")
	w.story.wellTold(t)
}

func TestARolloutGoesOnAfterTheBucketOfFlagsWasMadeAgain(t *testing.T) {
	t.Parallel()
	w, d, waits := exposed(t)
	if err := w.js.DeleteKeyValue(t.Context(), "serin_flags"); err != nil {
		t.Fatal(err)
	}
	e := w.story.await(t, patience, "1.1.0", "traffic.unconfirmed", 25)
	if !strings.Contains(e.Data.Reason, "not confirmed within 10s: read flag production.checkout-version") {
		t.Errorf("unconfirmed: %s", e.Data.Reason)
	}
	w.do(t, "setup")
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	// Who watched the old bucket may not hear of the new one: the daemon and the application are started again.
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t, patience); code != 0 {
		t.Fatalf("serve ended with status %d", code)
	}
	w.serve(t)
	w.usersByFlag(t)
	ends(t, waits, 0, "promoted", "")
	w.flagServesAll(t, "1.1.0")
	w.story.wellTold(t)
}
