//go:build e2e && unix

package e2e

import (
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestABadReleaseIsTakenBackAndItsFixIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0", "1.1.1")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	users := w.usersByFlag(t)

	bad := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)
	w.versions["1.1.0"].fault(t, "errors=0.5")
	r := ends(t, bad, 3, "restored", "rules")
	if !strings.Contains(r.Reason, "error-rate") || r.Percent != 25 {
		t.Errorf("the result is %+v, want the rule error-rate at 25 %%", r)
	}
	w.flagServesAll(t, "1.0.0")

	asked := w.story.one(t, "1.1.0", "rollback.requested")
	if asked.Subject != "rollback.production.checkout" || asked.Data.From != "1.1.0" || !asked.Data.To.Said || asked.Data.To.Version != "1.0.0" {
		t.Errorf("the rollback event is on %s: %+v", asked.Subject, asked.Data)
	}
	w.evidenceHolds(t, asked)
	off := w.story.one(t, "1.1.0", "rollback.completed").Time
	if all, there := users.between(off, time.Now(), "1.1.0"); there > 0 || all < 50 {
		t.Errorf("after the confirmed switch %d of %d requests reached the new version, want none of at least 50", there, all)
	}
	if diff := cmp.Diff(1, len(w.slack.heard("checkout 1.1.0 rolled back at 25 %"))); diff != "" {
		t.Errorf("Slack heard %q", w.slack.heard(""))
	}

	w.publish(t, "serin.release.production.checkout", `{"version":"1.1.1"}`)
	w.story.await(t, patience, "1.1.1", "traffic.confirmed", 25)
}

// evidenceHolds asks the queries of the deciding rule again, at the instant on record.
func (w *world) evidenceHolds(t *testing.T, e event) {
	t.Helper()
	if len(e.Data.Evidence) == 0 || e.Data.Evidence[0].Rule != "error-rate" {
		t.Fatalf("the evidence is %+v, want error-rate first", e.Data.Evidence)
	}
	r := e.Data.Evidence[0].Reading
	bad, _, err := w.prom.query(r.BadQuery, r.At)
	if err != nil {
		t.Fatal(err)
	}
	total, _, err := w.prom.query(r.TotalQuery, r.At)
	if err != nil {
		t.Fatal(err)
	}
	if !same(bad, float64(*r.Bad)) || !same(total, float64(*r.Total)) || !same(bad/total, float64(*r.Value)) {
		t.Errorf("asked again, %v of %v requests are bad; on record is %v of %v, %v", bad, total, *r.Bad, *r.Total, *r.Value)
	}
	if *r.Value <= *r.Limit || *r.Limit != 0.05 {
		t.Errorf("the value %v is not above the limit %v", *r.Value, *r.Limit)
	}
}

// same is equality but for rounding.
func same(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func TestAReleaseWhoseProcessIsKilledIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)

	bad := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)
	w.versions["1.1.0"].kill(t)
	r := ends(t, bad, 3, "restored", "lost_data", "rules")
	t.Logf("cause %s: %s", r.Cause, r.Reason)
	w.flagServesAll(t, "1.0.0")
}

func TestAFixIsNotJudgedOnTheErrorsOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	// Both releases call themselves canary, and the windows are longer than the time between them.
	p := strings.ReplaceAll(policyAbout(byVersionFlag, "canary"), "recovery: 10s", "recovery: 0s")
	w := newWorld(t, strings.ReplaceAll(p, "window: 5s", "window: 8s"), "1.0.0=stable", "1.1.0=canary", "1.1.1=canary")
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)

	w.versions["1.1.0"].fault(t, "errors=1")
	ends(t, w.release(t, "1.1.0"), 3, "restored", "rules")
	fix := w.release(t, "1.1.1")
	again := w.story.await(t, patience, "1.1.1", "step.started", 5)
	rate, ok, err := w.prom.query(`sum(increase(http_requests_total{version="canary",code="500"}[8s])) / sum(increase(http_requests_total{version="canary"}[8s]))`, time.Time{})
	if err != nil || !ok || rate < 0.05 {
		t.Fatalf("the old errors are not in the window any more (%v, %v): the test proves nothing", rate, err)
	}
	t.Logf("the fix starts %v after the rollback, with %.0f %% of errors in the window", again.Time.Sub(w.story.one(t, "1.1.0", "rollback.completed").Time), 100*rate)
	ends(t, fix, 0, "promoted", "")
	if failing := w.story.named(t, "1.1.1", "rule.failing"); len(failing) > 0 {
		t.Errorf("the fix was told to fail: %+v", failing)
	}
	w.flagServesAll(t, "1.1.1")
}

func TestASlackThatHangsDoesNotDelayARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	w.slack.hang(t)
	d := w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)

	w.versions["1.1.0"].fault(t, "errors=1")
	ends(t, w.release(t, "1.1.0"), 3, "restored", "rules")
	decided, off := w.story.one(t, "1.1.0", "rollout.failed"), w.story.one(t, "1.1.0", "rollback.completed")
	if took := off.Time.Sub(decided.Time); took > time.Second {
		t.Errorf("the rollback took %v", took)
	}
	if w.slack.tried() == 0 {
		t.Error("Slack was not asked: the test proves nothing")
	}
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t, 15*time.Second); code != 0 {
		t.Errorf("serve ended with status %d", code)
	}
}
