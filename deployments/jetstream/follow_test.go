package jetstream

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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
