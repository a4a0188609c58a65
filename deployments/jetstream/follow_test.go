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
