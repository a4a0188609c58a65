//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
)

// newEmbeddedWorld has no NATS server of its own: serve brings one, on an address that outlives it.
func newEmbeddedWorld(t *testing.T, policy string, versions ...string) (w *world, listen string) {
	t.Helper()
	w = emptyWorld(t, policy, versions...)
	w.nats = []string{"--data", t.TempDir()}
	return w, freeAddress(t)
}

// reachEmbedded connects the test by what the endpoint file says, as any program on the machine may.
func (w *world) reachEmbedded(t *testing.T) {
	t.Helper()
	at := readEndpoint(t, w.nats[1])
	w.reach(t, at.URL, at.Token, w.nats...)
}

func TestAWorkerThatIsKilledGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	w, listen := newEmbeddedWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	d := w.serve(t, "--listen", listen)
	w.reachEmbedded(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")

	for _, at := range []struct {
		name  string
		share float64
	}{{"step.started", 5}, {"traffic.confirmed", 25}, {"step.started", 50}, {"traffic.confirmed", 100}} {
		w.story.await(t, patience, "1.1.0", at.name, at.share)
		d.kill(t)
		d = w.serve(t, "--listen", listen)
	}
	r := ends(t, waits, 0, "promoted", "")
	if accepted := w.story.one(t, "1.1.0", "release.accepted"); accepted.Data.Rollout != r.Rollout {
		t.Errorf("rollout %s was promoted, %s accepted", r.Rollout, accepted.Data.Rollout)
	}
	if diff := cmp.Diff([]float64{5, 25, 50, 100}, w.story.shares(t, "1.1.0")); diff != "" {
		t.Errorf("shares confirmed (-want +got):\n%s", diff)
	}
	w.flagServesAll(t, "1.1.0")
	w.story.wellTold(t)
}

func TestAWorkerThatIsKilledOnTheWayBackFinishesIt(t *testing.T) {
	t.Parallel()
	w, listen := newEmbeddedWorld(t, policy("{event: deployer}\nfirst_release: allow"), "1.0.0", "1.1.0")
	serve := w.serve(t, "--listen", listen)
	w.reachEmbedded(t)
	d := newDeployer(t, w)
	sendUsers(t, d.route(w.versions["1.0.0"], w.versions["1.1.0"]))
	w.versions["1.1.0"].fault(t, "errors=1")
	waits := w.release(t, "1.1.0")
	d.move(t, w, d.next(t, 5))

	back := d.next(t, 0)
	serve.kill(t)
	w.serve(t, "--listen", listen)
	d.move(t, w, back)
	ends(t, waits, 3, "restored", "rules")
	w.story.one(t, "1.1.0", "rollback.requested")
	w.story.one(t, "1.1.0", "rollback.completed")
	w.story.wellTold(t)
}

// wellTold checks that every fact of the journal was told once: none missing, none twice, none under two ids.
func (s *story) wellTold(t *testing.T) {
	t.Helper()
	var want []string
	before := map[deployments.Slot]deployments.Entry{}
	for _, m := range s.journal.read(t) {
		var e deployments.Entry
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		for _, event := range deployments.Events(before[e.Slot], e) {
			want = append(want, event.ID)
		}
		before[e.Slot] = e
	}
	eventually(t, patience, func() error {
		if n := len(s.told(t)); n < len(want) {
			return fmt.Errorf("%d events of %d were told", n, len(want))
		}
		return nil
	})
	var got []string
	ids := map[string]string{}
	for _, e := range s.told(t) {
		got = append(got, e.ID)
		if strings.HasPrefix(e.Name, "rule.") || strings.HasPrefix(e.Name, "analysis.") {
			continue // a rule may fail, and a hold begin, several times in one step
		}
		fact := fmt.Sprint(e.Data.Rollout, e.Name, e.Data.Target, e.Data.Seq)
		if other := ids[fact]; other != "" {
			t.Errorf("one fact was told under two ids: %s and %s", other, e.ID)
		}
		ids[fact] = e.ID
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events that follow from the journal, and those told (-want +got):\n%s", diff)
	}
}

func TestASecondWorkerOnADirectoryIsTurnedAwayAtOnce(t *testing.T) {
	t.Parallel()
	w, listen := newEmbeddedWorld(t, policy(byVersionFlag), "1.0.0")
	first := w.serve(t, "--listen", listen)
	http := strings.TrimPrefix(first.http, "http://")
	for name, args := range map[string][]string{
		"on other ports":     {"--listen", "127.0.0.1:0"},
		"with the same args": {"--listen", listen, "--http", http},
	} {
		began := time.Now()
		second := w.tryServe(t, args...)
		code := second.exit(t, patience)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		want := fmt.Sprintf("%s is in use by process %d", w.nats[1], first.cmd.Process.Pid)
		if said := second.out.String(); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%s: exit status %d, want 1 and %q: %s", name, code, want, said)
		}
	}
	if status, _ := first.readiness(); status != 200 {
		t.Error("the first one is not ready any more")
	}
	first.signal(t, syscall.SIGTERM)
	if code := first.exit(t, patience); code != 0 {
		t.Errorf("the first one ended with status %d", code)
	}
}
