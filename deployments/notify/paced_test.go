package notify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

// receiver takes every event that is for Slack, or answers with its error.
type receiver struct {
	now  time.Time
	took []time.Duration // since start
	err  error
}

func (r *receiver) Wants(e deployments.Event) bool { return notify.Slack{}.Wants(e) }

func (r *receiver) Deliver(context.Context, deployments.Event) error {
	if r.err == nil {
		r.took = append(r.took, r.now.Sub(start))
	}
	return r.err
}

func numbered(n int) deployments.Event {
	return event("rollout.promoted", func(e *deployments.Event) { e.ID = fmt.Sprint("r", n, "/9/rollout.promoted") })
}

// tell delivers events as a durable consumer does: each again after the time its error names. It returns the tries.
func tell(t *testing.T, p *notify.Paced, r *receiver, events ...deployments.Event) (tries map[string]int) {
	t.Helper()
	tries = map[string]int{}
	due := map[string]time.Time{}
	for _, e := range events {
		due[e.ID] = r.now
	}
	for len(due) > 0 {
		next := time.Time{}
		for _, e := range events {
			at, waiting := due[e.ID]
			if !waiting {
				continue
			}
			if !at.After(r.now) {
				tries[e.ID]++
				err := p.Deliver(t.Context(), e)
				if err == nil {
					delete(due, e.ID)
					continue
				}
				later, ok := errors.AsType[*notify.RetryAfterError](err)
				if !ok || later.RetryAfter() <= 0 {
					t.Fatalf("error %v", err)
				}
				at = r.now.Add(later.RetryAfter())
				due[e.ID] = at
			}
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
		if !next.IsZero() {
			r.now = next
		}
	}
	return tries
}

func TestAReceiverIsToldOnceASecondAfterAShortBurst(t *testing.T) {
	r := &receiver{now: start}
	p := notify.NewPaced(r, func() time.Time { return r.now })
	var events []deployments.Event
	for n := range 100 {
		events = append(events, numbered(n))
	}
	for id, n := range tell(t, p, r, events...) {
		if n > 2 {
			t.Errorf("%s took %d tries", id, n)
		}
	}
	for i, at := range r.took {
		if want := time.Duration(max(0, i-2)) * time.Second; at != want {
			t.Errorf("message %d after %v, want %v", i, at, want)
		}
	}
}

func TestEventsNobodyWantsTakeNoPlace(t *testing.T) {
	r := &receiver{now: start}
	p := notify.NewPaced(r, func() time.Time { return r.now })
	for range 1000 {
		if err := p.Deliver(t.Context(), event("traffic.confirmed", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Deliver(t.Context(), numbered(1)); err != nil || len(r.took) != 1 {
		t.Errorf("took %v, error %v", r.took, err)
	}
}

func TestAReceiverThatAskedForItIsLeftAloneByAll(t *testing.T) {
	r := &receiver{now: start, err: &notify.RetryAfterError{After: 30 * time.Second, Err: errors.New("429")}}
	p := notify.NewPaced(r, func() time.Time { return r.now })
	var events []deployments.Event
	for n := range 20 {
		events = append(events, numbered(n))
	}
	_ = p.Deliver(t.Context(), events[0])
	r.err = nil
	tries := tell(t, p, r, events...)
	if r.took[0] != 30*time.Second || len(r.took) != 20 || r.took[19] != 47*time.Second {
		t.Errorf("told after %v", r.took)
	}
	for id, n := range tries {
		if n > 3 {
			t.Errorf("%s took %d tries", id, n)
		}
	}
}

func TestARefusalHoldsUpNobody(t *testing.T) {
	r := &receiver{now: start, err: deployments.Refuse("notify_refused", errors.New("invalid_blocks"))}
	p := notify.NewPaced(r, func() time.Time { return r.now })
	if err := p.Deliver(t.Context(), numbered(1)); deployments.Refusal(err) == "" {
		t.Errorf("error %v", err)
	}
	r.err = nil
	if err := p.Deliver(t.Context(), numbered(2)); err != nil {
		t.Error(err)
	}
}
