package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// turnError asks for another try, and is none.
type turnError struct{}

func (turnError) Error() string             { return "not my turn" }
func (turnError) RetryAfter() time.Duration { return time.Millisecond }
func (turnError) WaitsItsTurn() bool        { return true }

func TestWhatIsGivenUpIsCountedAndWaitingForATurnIsNoTry(t *testing.T) {
	l := newLab(t)
	var mu sync.Mutex
	tries, undelivered := map[string]int{}, map[string]int{}
	tell := func(ctx context.Context, name string, answer func(id string, try int) error) error {
		e := Events{JS: l.js, Attempts: 2, Undelivered: func(name string) {
			mu.Lock()
			defer mu.Unlock()
			undelivered[name]++
		}}
		return e.Tell(ctx, name, func(_ context.Context, e deployments.Event) error {
			mu.Lock()
			defer mu.Unlock()
			tries[name+e.ID]++
			return answer(e.ID, tries[name+e.ID])
		})
	}
	for _, name := range []string{"broken", "crowded"} {
		if err := (Events{JS: l.js}).remember(t.Context(), "SERIN_EVENTS", tellPrefix+name); err != nil {
			t.Fatal(err)
		}
	}
	background(t, func(ctx context.Context) error {
		return tell(ctx, "broken", func(string, int) error { return errors.New("broken") })
	})
	background(t, func(ctx context.Context) error {
		return tell(ctx, "crowded", func(_ string, try int) error {
			if try < 6 {
				return fmt.Errorf("later: %w", turnError{})
			}
			return nil
		})
	})
	m, err := EncodeEvent(Names{}, deployments.Event{ID: "r/1/step.started", Name: "step.started", Subject: "event.production.checkout.step.started", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	for done := false; !done; {
		mu.Lock()
		done = undelivered["broken"] == 1 && tries["crowdedr/1/step.started"] == 6
		mu.Unlock()
		select {
		case <-deadline:
			t.Fatalf("tries %v, undelivered %v", tries, undelivered)
		case <-time.After(5 * time.Millisecond):
		}
	}
	letters, err := DeadLetters{JS: l.js}.List(t.Context(), time.Now().Add(-time.Hour), "")
	if err != nil || len(letters) != 1 || letters[0].Notifier() != "broken" || letters[0].Reason != Stranded {
		t.Errorf("%+v, %v", letters, err)
	}
	all, err := Events{JS: l.js}.Notifiers(t.Context())
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

// placed is a message at a place in a stream.
type placed struct {
	jetstream.Msg
	seq uint64
}

func (p placed) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: p.seq}, Timestamp: time.Unix(0, 0)}, nil
}

// aloneError says that the receiver was left alone.
type aloneError struct{ turnError }

func (aloneError) LeftAlone() bool { return true }

func TestAnOutageCountsFromItsBeginningHoweverLongTheLineWas(t *testing.T) {
	late, other, broken := placed{seq: 7}, placed{seq: 8}, errors.New("503")
	at, o := time.Unix(0, 0).Add(50*time.Minute), outages{}
	after := at.Add
	for i, tt := range []struct {
		msg   placed
		err   error
		at    time.Time
		young bool
	}{
		{late, turnError{}, at, true},
		{late, broken, after(time.Minute), true},
		{other, aloneError{}, after(2 * time.Minute), true},
		{late, broken, after(30 * time.Minute), true},
		{late, broken, after(31 * time.Minute), false},
		{other, broken, after(31 * time.Minute), true},
		{other, broken, after(32 * time.Minute), false},
		{other, nil, after(33 * time.Minute), true},
		{other, broken, after(40 * time.Minute), true},
	} {
		if got := o.young(tt.msg, tt.err, tt.at); got != tt.young {
			t.Errorf("%d: young %t", i, got)
		}
	}
}
