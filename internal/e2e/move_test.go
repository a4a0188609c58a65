//go:build e2e && unix

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnEmbeddedServersWorkGoesOnInACluster(t *testing.T) {
	t.Parallel()
	w, listen := newEmbeddedWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0", "1.2.0", "1.3.0")
	dir := w.nats[1]
	d := w.serve(t, "--listen", listen)
	w.reachEmbedded(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t) // their application still reads the old server at the end: it goes on as it was when that stopped
	ends(t, w.release(t, "1.1.0"), 0, "promoted", "")
	w.versions["1.2.0"].fault(t, "errors=1")
	bad := ends(t, w.release(t, "1.2.0"), 3, "restored", "rules")
	_, before := w.run(t, "history", "checkout")

	cluster := startNATS(t)
	to := []string{"--nats", cluster, "--token-file", write(t, "token", "%s", token)}
	from := append([]string{"setup", "--from", dir}, to...)
	if p := serin(t, from...); p.exit(t, patience) != 1 || !strings.Contains(p.out.String(), "is in use by process") {
		t.Errorf("while it runs: %s", p.out.String())
	}
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t, patience); code != 0 {
		t.Fatalf("serve ended with status %d", code)
	}
	for _, want := range []string{"copied 1 slots, found 0", "copied 0 slots, found 1"} {
		p := serin(t, from...)
		if code := p.exit(t, patience); code != 0 || !strings.Contains(p.out.String(), want) {
			t.Fatalf("setup: status %d, want %q:\n%s", code, want, p.out.String())
		}
	}
	again := w.tryServe(t, "--listen", listen)
	if code := again.exit(t, patience); code != 1 || !strings.Contains(again.out.String(), "was copied to "+cluster) {
		t.Errorf("the old data is served again: status %d: %s", code, again.out.String())
	}

	w.reach(t, cluster, token, to...)
	w.serve(t)
	if _, after := w.run(t, "history", "checkout"); after != before {
		t.Errorf("history (-before +after):\n%s", cmp.Diff(before, after))
	}
	if _, said := w.run(t, "status", "checkout"); !strings.Contains(said, "1.2.0 (stable 1.1.0)") || !strings.Contains(said, bad.Rollout) {
		t.Errorf("status: %s", said)
	}
	w.flagServesAll(t, "1.1.0")
	w.usersByFlag(t)
	ends(t, w.release(t, "1.3.0"), 0, "promoted", "")
	w.flagServesAll(t, "1.3.0")
	accepted := w.story.one(t, "1.3.0", "release.accepted")
	if accepted.Data.Reason != "stable is 1.1.0" {
		t.Errorf("accepted: %s", accepted.Data.Reason)
	}
	if i := slices.IndexFunc(w.story.told(t), func(e event) bool { return e.Data.Version != "1.3.0" }); i >= 0 {
		t.Errorf("told again:\n%s", w.story.text(t))
	}
	w.story.wellTold(t)
}
