package notify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/steps"
)

func TestAPageStandsBehindNoNews(t *testing.T) {
	r := &receiver{now: start}
	p := notify.NewPaced(r, func() time.Time { return r.now })
	for n := range 1000 {
		_ = p.Deliver(t.Context(), numbered(n))
	}
	page := event("rollback.failed", func(e *deployments.Event) { e.ID, e.Severity = "r0/7/rollback.failed", deployments.Page })
	if err := p.Deliver(t.Context(), page); err != nil {
		t.Errorf("behind a thousand events: %v", err)
	}
	failed := event("rollout.failed", func(e *deployments.Event) { e.ID, e.Severity = "r0/5/rollout.failed", deployments.Warning })
	if err := p.Deliver(t.Context(), failed); err != nil {
		t.Errorf("behind a thousand events: %v", err)
	}
}

// counted is a receiver whose server answers with one text, and counts.
func counted(t *testing.T, r notify.Receiver, answer string) (*notify.Teller, *notify.Brief, *int) {
	t.Helper()
	asked, memory := new(int), &notify.Brief{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		fmt.Fprint(w, answer)
	})
	teller, err := notify.Open(r, notify.Options{Memory: memory, HTTP: &http.Client{Transport: inMemory{handler}}, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return teller, memory, asked
}

func TestAWebhookIsToldFasterThanPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ })
		r := notify.Receiver{Name: "audit", Kind: notify.HTTPWebhook, URL: "http://audit.example", SecretFile: file(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}
		teller, err := notify.Open(r, notify.Options{Memory: &notify.Brief{}, HTTP: &http.Client{Transport: inMemory{handler}}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for n := range 200 {
			for {
				err := teller.Deliver(t.Context(), numbered(n))
				if err == nil {
					break
				}
				later, ok := errors.AsType[*notify.RetryAfterError](err)
				if !ok {
					t.Fatal(err)
				}
				time.Sleep(later.RetryAfter())
			}
		}
		if took := time.Since(began); took > 15*time.Second || asked != 200 {
			t.Errorf("told of %d events in %s", asked, took)
		}
	})
}

func TestWhatSaysNothingToAChannelIsNoDelivery(t *testing.T) {
	r := notify.Receiver{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: file(t, "xoxb-s3cret"), APIURL: "http://slack.example/api", Group: notify.ByRollout}
	teller, memory, asked := counted(t, r, `{"ok":false,"error":"is_archived"}`)
	if err := teller.Deliver(t.Context(), at(1, "release.accepted", func(e *deployments.Event) { e.Time = start })); err != nil {
		t.Fatal(err)
	}
	state, err := notify.StateOf(t.Context(), memory, "deploys")
	if err != nil || *asked != 0 || !state.Delivered.IsZero() {
		t.Errorf("asked %d times, delivered %s, %v", *asked, state.Delivered, err)
	}
}

// An answer that is no answer of Slack's says nothing about the message: it is looked for, and never a refusal.
func TestAnAnswerThatNamesNoMessageIsNotBelieved(t *testing.T) {
	for _, answer := range []string{`{"ok":true}`, `null`, `{}`, `[]`, `<html>`, `{"ok":true,"channel":"C0123`} {
		r := notify.Receiver{Name: "deploys", Kind: notify.SlackChannel, Channel: "#deploys", TokenFile: file(t, "xoxb-s3cret"), APIURL: "http://slack.example/api", Group: notify.ByRollout}
		teller, _, asked := counted(t, r, answer)
		started := at(2, "step.started", func(e *deployments.Event) { e.Time, e.Data.Step, e.Data.Percent = start, 1, 5 })
		for range 3 {
			if err := teller.Deliver(t.Context(), started); err == nil || deployments.Refusal(err) != "" {
				t.Errorf("%s: %v", answer, err)
			}
		}
		if *asked != 1 {
			t.Errorf("%s: posted %d times", answer, *asked)
		}
	}
}

func TestPeopleAreNotToldOldNewsButStillOfWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, memory := &desk{state: awaiting()}, &notify.Brief{}
		w := d.worker(t, memory)
		stop := running(t, w)
		asked, promoted := asked(), numbered(1)
		promoted.Time = time.Now()
		time.Sleep(25 * time.Hour)
		for _, e := range []deployments.Event{promoted, asked} {
			if err := w.Deliver(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(40 * time.Minute)
		d.is(deployments.State{Rollout: &steps.Rollout{ID: "checkout-1.4.2-7f3a", Phase: steps.Ended}})
		time.Sleep(time.Hour)
		stop()
		if len(d.told) != 1 || d.told[0] != "25h30m0s ✋ Still: checkout 1.4.2 waits for approval at 25 %" {
			t.Errorf("told %q", d.told)
		}
	})
}

func TestAReminderOfAClockThatWasAheadComesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, memory := &desk{state: awaiting()}, &notify.Brief{}
		ahead, err := notify.Open(notify.Receiver{Name: "deploys", Kind: notify.SlackWebhook, URL: "http://slack.example/hook", Repeat: 30 * time.Minute}, notify.Options{
			Memory: memory, HTTP: &http.Client{Transport: inMemory{d}}, Now: func() time.Time { return time.Now().Add(10 * time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := ahead.Deliver(t.Context(), asked()); err != nil {
			t.Fatal(err)
		}
		stop := running(t, d.worker(t, memory))
		time.Sleep(32 * time.Minute)
		stop()
		if len(d.told) < 2 {
			t.Errorf("told %q", d.told)
		}
	})
}

func TestTheEndOfAWayBackClaimsHealthOnlyWhereItWasSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		cause    steps.Cause
		restored time.Time
		want     string
	}{
		"healthy again":       {steps.ByRules, start, "✓ production/checkout 1.4.2 rolled back at 25 %: the failed rules are healthy again"},
		"not within its time": {steps.ByRules, time.Time{}, "✓ production/checkout 1.4.2 rolled back at 25 %: the failed rules were not seen healthy again"},
		"by a person":         {steps.ByPerson, time.Time{}, "✓ production/checkout 1.4.2 rolled back at 25 %"},
		"by a newer one":      {steps.BySuperseded, time.Time{}, "✓ production/checkout 1.4.2 rolled back at 25 %"},
	} {
		t.Run(name, func(t *testing.T) {
			got := notify.Text(event("rollout.restored", func(e *deployments.Event) {
				confirmed(&e.Data)
				e.Data.Cause, e.Data.Restored = tt.cause, tt.restored
			}))
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "healthy") != strings.Contains(tt.want, "healthy") {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// In a storm a message is posted late: it says then what is known by then.
func TestAMessageThatHadToWaitInLineSaysWhatCameMeanwhile(t *testing.T) {
	o := newOffice(t)
	b := o.worker()
	of := func(rollout, name string, rev uint64) deployments.Event {
		return at(rev, name, func(e *deployments.Event) {
			e.ID, e.Data.Rollout, e.Data.Step, e.Data.Percent = fmt.Sprintf("%s/%d/%s", rollout, rev, name), rollout, 1, 5
		})
	}
	for n := range 3 {
		o.deliver(t, b, of(fmt.Sprint("burst", n), "step.started", 2))
	}
	started, promoted := of("late", "step.started", 2), of("late", "rollout.promoted", 9)
	for _, e := range []deployments.Event{started, promoted} {
		if err := b.Deliver(t.Context(), e); err == nil {
			t.Fatalf("%s had not to wait", e.Name)
		}
	}
	o.wait(2 * time.Second)
	o.deliver(t, b, started)
	all := o.Messages()
	if got := all[len(all)-1].Text; len(all) != 4 || !strings.Contains(got, "promoted") {
		t.Errorf("%d messages, the last says %q", len(all), got)
	}
}
