package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// quickPolicy is of a service that is promoted within seconds.
const quickPolicy = `
service: quick
prometheus: PROMETHEUS
ready: none
traffic: {version_flag: quick-version}
steps: [{weight: 100, bake: 1s}]
defaults: {interval: 1s, window: 1s, warmup: 0s}
rules: [{name: up, query: up, min: 1}]
`

func TestAReleasePublishedAgainIsWhatTheSlotSaysItIs(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with a daemon", func(t *testing.T) {
		o := newOrdered(t, quickPolicy)
		exits := func(want int, words string, args ...string) string {
			t.Helper()
			code, said := o.serin(append([]string{"release", "quick"}, args...)...)
			if code != want || !strings.Contains(said, words) {
				t.Errorf("release %s: %d, not %d with %q: %s", strings.Join(args, " "), code, want, words, said)
			}
			return said
		}
		exits(exitNotAccepted, "serin flags set", "1.1.0", "--wait")
		exits(exitNotAccepted, "serin flags set", "1.1.0", "--wait", "--id", "build 1")
		o.do("flags", "set", "quick-version", "1.0.0")
		exits(exitOK, "1.1.0 promoted", "1.1.0", "--wait", "--id", "build 1") // its cause is cured
		exits(exitOK, "promoted", "1.1.0", "--wait")
		exits(exitOK, "1.2.0 promoted", "1.2.0", "--wait")
		exits(exitOK, "1.1.0 accepted: stable is 1.2.0", "1.1.0", "--wait")
		if e := o.until("quick", in(steps.Ended)); e.State.Stable != "1.1.0" {
			t.Errorf("%s serves", e.State.Stable)
		}
		if said := exits(exitOK, "is known already", "1.1.0", "--wait"); strings.Contains(said, "accepted") {
			t.Errorf("what is promoted already is rolled out: %s", said)
		}
	})
}

func TestTheKeyOfABuildReleasesEachOfItsServices(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with a daemon", func(t *testing.T) {
		h := newHooked(t)
		post := func(service, version string, want int, what string, is any) {
			t.Helper()
			if status, answer := h.post(service, `{"version":"`+version+`"}`, "Idempotency-Key", "build-7"); status != want || answer[what] != is {
				t.Errorf("%s %s: %d %v, not %d with %s %v", service, version, status, answer, want, what, is)
			}
		}
		post("cart", "1.1.0", http.StatusAccepted, "duplicate", false)
		post("checkout", "1.1.0", http.StatusAccepted, "duplicate", false)
		slot := deployments.Slot{Environment: "production", Service: "cart"}
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for end := time.Now().Add(30 * time.Second); ; <-again.C {
			if e, err := h.d.journal.Last(t.Context(), slot); err == nil && e.Refused("build-7") || time.Now().After(end) {
				break
			}
		}
		h.do("flags", "set", "cart-version", "1.0.0")
		post("cart", "1.1.0", http.StatusAccepted, "duplicate", false) // it was refused, and its cause is cured
		if e := h.until("cart", func(r steps.Rollout) bool { return r.Version == "1.1.0" }); e.State.Release.ID != "build-7" {
			t.Errorf("its id is %s", e.State.Release.ID)
		}
		post("cart", "1.1.0", http.StatusAccepted, "duplicate", true)
		post("cart", "1.2.0", http.StatusUnprocessableEntity, "reason", "key_used")
	})
}
