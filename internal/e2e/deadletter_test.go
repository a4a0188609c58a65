//go:build e2e && unix

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestBadReleasesBecomeDeadLettersAndAGoodOneBehindThemPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)

	const checkout = "serin.release.production.checkout"
	bad := []struct{ name, subject, body, reason, why string }{
		{"unknown service", "serin.release.production.nosuch", `{"version":"1.1.0"}`, "no_policy", "production/nosuch has no policy"},
		{"garbage", checkout, "\x00\xff garbage", "malformed", "the body is not UTF-8"},
		{"another service in the body", checkout, `{"version":"1.1.0","service":"payments"}`, "mismatch", `the body says service "payments"`},
		{"no version", checkout, `{"version":""}`, "invalid", "version is missing"},
		{"a step of its own", checkout, `{"version":"1.1.0","start_step":3}`, "not_allowed", "start_step"},
		{"too large", checkout, `{"version":"1.1.0","x":"` + strings.Repeat("x", 200_000) + `"}`, "too_large", "are allowed"},
	}
	for _, b := range bad {
		if err := w.js.Conn().Publish(b.subject, []byte(b.body)); err != nil {
			t.Fatal(err)
		}
	}
	good := w.release(t, "1.1.0")
	var letters []letter
	eventually(t, patience, func() error {
		if letters = w.story.dead(t); len(letters) < len(bad) {
			return fmt.Errorf("%d dead letters of %d", len(letters), len(bad))
		}
		return nil
	})
	for _, b := range bad {
		if !hasLetter(letters, b.subject, b.reason, b.why) {
			t.Errorf("%s: no dead letter of %s for %s with %q", b.name, b.subject, b.reason, b.why)
		}
	}
	if len(letters) != len(bad) || t.Failed() {
		for _, l := range letters {
			t.Logf("%s of %s: %s", l.reason, l.subject, l.why)
		}
		t.Fatalf("%d dead letters, want %d", len(letters), len(bad))
	}
	ends(t, good, 0, "promoted", "")
	if code, said := w.run(t, "release", "nosuch", "1.0.0", "--wait"); code != 9 || !strings.Contains(said, "has no policy") {
		t.Errorf("a release that is refused ends with status %d: %s", code, said)
	}
}

func hasLetter(letters []letter, subject, reason, why string) bool {
	for _, l := range letters {
		if l.subject == subject && l.reason == reason && strings.Contains(l.why, why) {
			return true
		}
	}
	return false
}
