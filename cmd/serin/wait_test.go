package main

import (
	"io"
	"testing"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

func TestTheResultOfARollbackSaysWhyItFailedAndAtWhichShare(t *testing.T) {
	w := &waiter{env: Env{Stdout: io.Discard}, rollout: "checkout-1.1.0-1"}
	failed := deployments.EventData{Rollout: w.rollout, Phase: steps.Reverting, Cause: steps.ByRules, FromPercent: 25, Reason: "error-rate: 18 % > 5 %"}
	if end, _ := w.hear(deployments.Event{Name: "rollout.failed", Data: failed}); end != nil {
		t.Fatalf("it ended before it was confirmed: %+v", end)
	}
	restored := deployments.EventData{Rollout: w.rollout, Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, FromPercent: 25,
		Reason: "error-rate: 0 % ≤ 5 %"}
	got, code := w.hear(deployments.Event{Name: "rollout.restored", Data: restored})
	if got == nil || code != exitRolledBack || got.Reason != failed.Reason || got.Percent != 25 {
		t.Errorf("ended with status %d, %+v", code, got)
	}
}
