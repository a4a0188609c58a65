//go:build e2e

package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestDemoTakesBackWhatIsSlowAndWhatCrashes(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("latency", func(t *testing.T) { perform(t, wentBack("slow-requests"), "--speed", "3", "--fault", "latency") })
	t.Run("crash", func(t *testing.T) { perform(t, wentBack("error-rate"), "--speed", "3", "--fault", "crash") })
}
