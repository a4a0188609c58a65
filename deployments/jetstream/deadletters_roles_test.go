package jetstream

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

func TestAnOperatorOfAllServicesReadsDeadLettersAndPublishesReleasesAgain(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	w := g.as(t, "worker")
	var refused atomic.Bool
	accepted := make(chan deployments.Release, 10)
	background(t, func(ctx context.Context) error {
		return Intake{JS: w.js, Log: testLog(t)}.Run(ctx, func(_ context.Context, r deployments.Release) error {
			if r.Service == "checkout" && refused.CompareAndSwap(false, true) {
				return deployments.Refuse("no_policy", context.Canceled)
			}
			accepted <- r
			return nil
		})
	})
	if _, err := g.admin.js.PublishMsg(t.Context(), &nats.Msg{Subject: "serin.release.production.cart", Data: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := PublishRelease(t.Context(), g.admin.js, Names{}, deployments.Release{Slot: checkout, ID: "7", Version: "1.1.0"}); err != nil {
		t.Fatal(err)
	}
	operator := g.as(t, "operator")
	d, since := DeadLetters{JS: operator.js}, time.Now().Add(-time.Hour)
	var all []Letter
	eventually(t, "both are dead letters", func() bool {
		var err error
		if all, err = d.List(t.Context(), since, ""); err != nil {
			t.Fatal(err)
		}
		return len(all) == 2
	})
	own, err := DeadLetters{JS: g.admin.js}.List(t.Context(), since, "")
	if err != nil || len(own) != 2 || own[0].Size != all[0].Size || own[1].Why != all[1].Why {
		t.Errorf("the user setup sees %+v, the operator %+v: %v", own, all, err)
	}
	some, err := d.List(t.Context(), since, "no_policy")
	if err != nil || len(some) != 1 || some[0].ID != "7" {
		t.Fatalf("%+v, %v", some, err)
	}
	if late, err := d.List(t.Context(), time.Now().Add(time.Hour), ""); err != nil || len(late) != 0 {
		t.Errorf("%+v, %v", late, err)
	}
	l, err := d.Get(t.Context(), some[0].Sequence)
	if err != nil || !strings.Contains(string(l.Body), "1.1.0") {
		t.Fatalf("%+v, %v", l, err)
	}
	again, err := d.Again(l)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := d.Refusals(again, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if duplicate, err := d.Publish(t.Context(), again); err != nil || duplicate {
		t.Fatal(duplicate, err)
	}
	if r := receive(t, accepted); r.ID != "7" || r.Version != "1.1.0" {
		t.Errorf("%+v", r)
	}
	if l, err := d.Get(t.Context(), l.Sequence); err != nil || l.Retried.IsZero() {
		t.Errorf("%+v is not marked, %v", l, err)
	}
	if some, err := d.List(t.Context(), since, "no_policy"); err != nil || some[0].Retried.IsZero() {
		t.Errorf("%+v is not marked, %v", some, err)
	}
}

func TestOthersReadNoDeadLetters(t *testing.T) {
	for name, s := range map[string]Scope{"all": {}, "one environment": {Environment: "production"}} {
		g := guard(t, Names{}, s)
		for _, role := range []string{"ci", "operator", "viewer", "deployer", "application"} {
			if name == "all" && role == "operator" {
				continue
			}
			c := g.as(t, role)
			for _, subject := range []string{"serin.js.STREAM.INFO.SERIN_DLQ", "serin.js.DIRECT.GET.SERIN_DLQ", "serin.js.DIRECT.GET.SERIN_DLQ.serin.dlq.x", "serin.dlq.retried.1", "serin.dlq.invalid"} {
				if c.lets(t, func() error { return c.Publish(subject, nil) }) {
					t.Errorf("%s of %s publishes to %s", role, name, subject)
				}
			}
		}
		if name == "all" {
			c := g.as(t, "operator")
			for _, subject := range []string{"serin.js.STREAM.PURGE.SERIN_DLQ", "serin.js.STREAM.MSG.DELETE.SERIN_DLQ", "serin.js.CONSUMER.CREATE.SERIN_DLQ", "serin.dlq.invalid", "serin.js.DIRECT.GET.SERIN_JOURNAL"} {
				if c.lets(t, func() error { return c.Publish(subject, nil) }) {
					t.Errorf("operator publishes to %s", subject)
				}
			}
		}
	}
}

func TestAnUndeliveredEventSaysWhomItWasFor(t *testing.T) {
	l := newLab(t)
	end := make(chan struct{})
	background(t, func(ctx context.Context) error {
		return Events{JS: l.js, Attempts: 1, Log: testLog(t)}.Tell(ctx, "pager", func(context.Context, deployments.Event) error {
			defer func() { end <- struct{}{} }()
			return context.DeadlineExceeded
		})
	})
	eventually(t, "the notifier listens", func() bool {
		_, err := l.js.Consumer(t.Context(), "SERIN_EVENTS", "tell-pager")
		return err == nil
	})
	if err := (Dispatch{JS: l.js, Structured: true}).Publish(t.Context(), testEvent()); err != nil {
		t.Fatal(err)
	}
	receive(t, end)
	letter(t, l)
	all, err := DeadLetters{JS: l.js}.List(t.Context(), time.Now().Add(-time.Hour), Stranded)
	if err != nil || len(all) != 1 || all[0].Receiver() != "pager" {
		t.Fatalf("%+v, %v", all, err)
	}
	if one, err := (DeadLetters{JS: l.js}).Get(t.Context(), all[0].Sequence); err != nil || one.Receiver() != "pager" {
		t.Errorf("%+v, %v", one, err)
	}
}
