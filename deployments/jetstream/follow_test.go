package jetstream

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

// A cluster that has lost its leader hears requests and says nothing.
func TestAServerThatDoesNotAnswerIsNotWaitedForAsLongAsTheCallerHasTime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	heard := make(chan struct{}, 1)
	silent, err := l.nc.Subscribe("SILENT.API.>", func(*nats.Msg) { heard <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Unsubscribe() }()
	js, err := jetstream.NewWithAPIPrefix(l.nc, "SILENT.API")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		_, err := reader{js: js, stream: Names{}.Stream(JournalStream), log: testLog(t)}.open(ctx)
		answer <- err
	}()
	receive(t, heard)
	if err := receive(t, answer); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestAPartitionIsWatchedOnceItsServersAnswer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	js, err := jetstream.NewWithAPIPrefix(l.nc, "SILENT.API")
	if err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, l.js)
	slot := deployments.Slot{Environment: "production", Service: "checkout"}
	write(t, l, slot, 1)
	var answers atomic.Bool
	relay, err := l.nc.Subscribe("SILENT.API.>", func(m *nats.Msg) {
		if !answers.Load() {
			answers.Store(true) // the first request goes nowhere
			return
		}
		m.Subject = "$JS.API." + strings.TrimPrefix(m.Subject, "SILENT.API.")
		_ = l.nc.PublishMsg(m)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Unsubscribe() }()
	j.js = js
	entries, err := j.Watch(t.Context(), slot.Partition(j.Partitions()))
	if err != nil {
		t.Fatal(err)
	}
	if e := receive(t, entries); e.Slot != slot {
		t.Errorf("the first entry is of %s", e.Slot)
	}
}

// A server that has not heard of a new consumer yet drops the first request to it without a word.
func TestARequestForStoredEntriesThatIsDroppedIsMadeAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	write(t, l, checkout, 1)
	var made, asked atomic.Int64
	relay, err := l.nc.Subscribe("DROPPING.API.>", func(m *nats.Msg) {
		api := strings.TrimPrefix(m.Subject, "DROPPING.API.")
		switch {
		case strings.HasPrefix(api, "CONSUMER.CREATE."):
			made.Add(1)
		case strings.HasPrefix(api, "CONSUMER.MSG.NEXT.") && asked.Add(1) == 1:
			return
		}
		m.Subject = "$JS.API." + api
		_ = l.nc.PublishMsg(m)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Unsubscribe() }()
	js, err := jetstream.NewWithAPIPrefix(l.nc, "DROPPING.API")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entries, err := openJournal(t, js).Watch(ctx, checkout.Partition(journaltest.Partitions))
	if err != nil {
		t.Fatal(err)
	}
	if e := receive(t, entries); e.Slot != checkout {
		t.Errorf("the first entry is of %s", e.Slot)
	}
	if made.Load() != 1 || asked.Load() < 2 {
		t.Errorf("%d consumers were made, and asked %d times", made.Load(), asked.Load())
	}
	cancel()
	for range entries {
	}
}
