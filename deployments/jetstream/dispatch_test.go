package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

// told makes one event of an entry, which says what the entry before it was.
func told(prev, e deployments.Entry) []deployments.Event {
	return []deployments.Event{{
		ID: fmt.Sprintf("%s/%d/step.started", e.Slot.Service, e.Rev), Name: "step.started", Slot: e.Slot, Time: e.At, Severity: deployments.Info,
		Subject: "event." + e.Slot.Subject() + ".step.started",
		Data:    deployments.EventData{Service: e.Slot.Service, Environment: e.Slot.Environment, Rollout: e.Rollout, Rev: e.Rev, Seq: prev.Rev},
	}}
}

func dispatch(t *testing.T, l lab, events func(prev, e deployments.Entry) []deployments.Event) (stop func()) {
	d := Dispatch{JS: l.js, Journal: openJournal(t, l.js), Log: testLog(t)}
	return background(t, func(ctx context.Context) error { return d.Run(ctx, events) })
}

// follow delivers events as the stream gets them.
func follow(t *testing.T, l lab, f Filter, after uint64) <-chan deployments.Event {
	events := make(chan deployments.Event, 1000)
	background(t, func(ctx context.Context) error {
		return Events{JS: l.js}.Follow(ctx, f, after, func(_ uint64, e deployments.Event) error {
			events <- e
			return nil
		})
	})
	return events
}

// write appends n entries to a slot and returns the last sequence.
func write(t *testing.T, l lab, s deployments.Slot, n int) uint64 {
	t.Helper()
	j := openJournal(t, l.js)
	last, err := j.Last(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	seq := last.Sequence
	for i := range uint64(n) {
		if seq, err = j.Append(t.Context(), journaltest.Entry(s, last.Rev+i+1, seq)); err != nil {
			t.Fatal(err)
		}
	}
	return seq
}

func TestEveryEntryIsToldOnceInOrderWithTheOneBefore(t *testing.T) {
	l := newLab(t)
	events := follow(t, l, Filter{Slot: checkout}, 0)
	if e := receive(t, events); e.ID != "" {
		t.Fatalf("%s was there already", e.ID)
	}
	write(t, l, checkout, 5)
	stop := dispatch(t, l, told)
	for rev := uint64(1); rev <= 5; rev++ {
		if e := receive(t, events); e.Data.Rev != rev || e.Data.Seq != rev-1 {
			t.Errorf("revision %d after %d, want %d", e.Data.Rev, e.Data.Seq, rev)
		}
	}
	stop()
	write(t, l, checkout, 1) // its predecessor is in no memory any more
	dispatch(t, l, told)
	if e := receive(t, events); e.Data.Rev != 6 || e.Data.Seq != 5 {
		t.Errorf("revision %d after %d, want 6 after 5", e.Data.Rev, e.Data.Seq)
	}
}

func TestWhatAKilledWorkerLeftUntoldIsToldBeforeWhatFollows(t *testing.T) {
	l := newLab(t)
	slot := journaltest.Slots(0, 1)[0]
	e := journaltest.Entry(slot, 1, 0)
	for rev := uint64(1); rev <= 3; rev++ {
		e = journaltest.Entry(slot, rev, e.Sequence)
		e.At = time.Now()
		var err error
		if e.Sequence, err = openJournal(t, l.js).Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if rev == 2 {
			c, err := l.js.Consumer(t.Context(), "SERIN_JOURNAL", dispatchConsumer)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := c.Fetch(2) // by a worker that is killed before it tells anybody
			if err != nil {
				t.Fatal(err)
			}
			for range taken.Messages() {
			}
		}
	}
	events := follow(t, l, Filter{Slot: slot}, 0)
	stop := dispatch(t, l, told)
	for rev := uint64(1); rev <= 3; rev++ {
		got := receive(t, events)
		for got.ID == "" {
			got = receive(t, events)
		}
		if got.Data.Rev != rev {
			t.Fatalf("revision %d was told, want %d", got.Data.Rev, rev)
		}
	}
	untold := uint64(1)
	for untold > 0 { // until the killed worker's messages were delivered again
		var err error
		if untold, err = (Dispatch{JS: l.js}).Untold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	s, err := l.js.Stream(t.Context(), "SERIN_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 3 {
		t.Errorf("%d events are stored, want 3", n)
	}
}

func TestAPurgedPredecessorIsNone(t *testing.T) {
	l := newLab(t)
	last := write(t, l, checkout, 3)
	s, err := l.js.Stream(t.Context(), "SERIN_JOURNAL")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(last)); err != nil {
		t.Fatal(err)
	}
	dispatch(t, l, told)
	events := follow(t, l, Filter{}, 0)
	e := receive(t, events)
	for e.ID == "" {
		e = receive(t, events)
	}
	if e.Data.Rev != 3 || e.Data.Seq != 0 {
		t.Errorf("revision %d after %d, want 3 after none", e.Data.Rev, e.Data.Seq)
	}
}

func TestAPoisonEntryIsDeadLetteredAndHoldsUpNothing(t *testing.T) {
	l := newLab(t)
	if _, err := l.js.Publish(t.Context(), Names{}.Entry(1, checkout), []byte("poison")); err != nil {
		t.Fatal(err)
	}
	write(t, l, deployments.Slot{Environment: "staging", Service: "bad-subject"}, 1)
	other := journaltest.Slots(0, 1)[0]
	write(t, l, other, 1)
	dispatch(t, l, func(prev, e deployments.Entry) []deployments.Event {
		events := told(prev, e)
		if e.Slot.Service == "bad-subject" {
			events[0].Subject = "nowhere"
		}
		return events
	})
	for range 2 {
		if msg := letter(t, l); msg.Subject() != "serin.dlq.poison" {
			t.Errorf("dead letter on %s", msg.Subject())
		}
	}
	events := follow(t, l, Filter{Slot: other}, 0)
	for e := receive(t, events); e.Slot != other; e = receive(t, events) {
		if e.ID != "" {
			t.Errorf("%s is of another slot", e.ID)
		}
	}
}

func TestFollowFiltersAndBeginsWhereItIsTold(t *testing.T) {
	l := newLab(t)
	dispatch(t, l, func(prev, e deployments.Entry) []deployments.Event {
		events := told(prev, e)
		events[0].Data.Rollout = fmt.Sprintf("r-%d", e.Rev)
		back := events[0]
		back.ID, back.Name, back.Subject = back.ID+"/back", "rollback.requested", "rollback."+e.Slot.Subject()
		return append(events, back)
	})
	all := follow(t, l, Filter{}, 0)
	receive(t, all)
	write(t, l, checkout, 2)
	write(t, l, deployments.Slot{Environment: "staging", Service: "cart"}, 2)
	for range 8 {
		receive(t, all)
	}
	latest, err := Events{JS: l.js}.Latest(t.Context())
	if err != nil || latest != 8 {
		t.Fatalf("latest %d, %v, want 8", latest, err)
	}
	for name, tt := range map[string]struct {
		filter Filter
		after  uint64
		want   int
	}{
		"all":     {Filter{}, 0, 8},
		"slot":    {Filter{Slot: checkout}, 0, 2},
		"rollout": {Filter{Rollout: "r-2"}, 0, 4},
		"both":    {Filter{Slot: checkout, Rollout: "r-2"}, 0, 1},
		"release": {Filter{Release: "another"}, 0, 0},
		"later":   {Filter{}, 6, 2},
		"end":     {Filter{Slot: checkout}, latest, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			end := errors.New("end")
			err := Events{JS: l.js}.Follow(t.Context(), tt.filter, tt.after, func(_ uint64, e deployments.Event) error {
				if e.ID == "" {
					return end
				}
				n++
				return nil
			})
			if !errors.Is(err, end) || n != tt.want {
				t.Errorf("%d events, %v, want %d", n, err, tt.want)
			}
		})
	}
}

// busy asks to be tried again at once.
type busy struct{}

func (busy) Error() string             { return "429" }
func (busy) RetryAfter() time.Duration { return time.Millisecond }

func TestNotifiersAreToldInSpiteOfErrorsAndRestarts(t *testing.T) {
	l := newLab(t)
	heard := make(chan string, 10)
	var tries atomic.Int32
	tell := func() (stop func()) {
		return background(t, func(ctx context.Context) error {
			return Events{JS: l.js, Attempts: 3}.Tell(ctx, "slack", func(_ context.Context, e deployments.Event) error {
				if e.Slot.Service == "stranded" {
					return busy{}
				}
				if tries.Add(1) < 3 {
					return busy{}
				}
				heard <- e.ID
				return nil
			})
		})
	}
	// The notifier exists before there is anything to tell.
	if err := (Events{JS: l.js}).remember(t.Context(), "SERIN_EVENTS", "tell-slack"); err != nil {
		t.Fatal(err)
	}
	dispatch(t, l, told)
	stop := tell()
	write(t, l, checkout, 1)
	if id := receive(t, heard); id != "checkout/1/step.started" {
		t.Errorf("heard %s", id)
	}
	stop()
	write(t, l, checkout, 1)
	write(t, l, deployments.Slot{Environment: "staging", Service: "stranded"}, 1)
	tell()
	if id := receive(t, heard); id != "checkout/2/step.started" {
		t.Errorf("heard %s after the restart", id)
	}
	if msg := letter(t, l); msg.Subject() != "serin.dlq.undelivered" {
		t.Errorf("dead letter on %s", msg.Subject())
	}
}

func TestLaterEntriesOfASlotWaitForAnEarlierOne(t *testing.T) {
	l := newLab(t)
	write(t, l, checkout, 3)
	j := openJournal(t, l.js)
	// An entry of a later format is tried again for ever: a later version of serin will come.
	last, err := j.Last(t.Context(), checkout)
	if err != nil {
		t.Fatal(err)
	}
	newer := journaltest.Entry(checkout, 4, last.Sequence)
	newer.V++
	if _, err := j.Append(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	other := journaltest.Slots(0, 1)[0]
	write(t, l, other, 1)
	dispatch(t, l, told)
	events := follow(t, l, Filter{}, 0)
	var got []string
	for len(got) < 4 {
		if e := receive(t, events); e.ID != "" {
			got = append(got, e.ID)
		}
	}
	want := []string{"checkout/1/step.started", "checkout/2/step.started", "checkout/3/step.started", other.Service + "/1/step.started"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
