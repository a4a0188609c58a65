package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

const (
	intakeParallel = 16
	intakeAttempts = 20
	// intakeAckWait is how long an event may be late when the worker that had it was killed: less than `serin release`
	// waits for somebody to take it in.
	intakeAckWait = 10 * time.Second
	intakeWait    = 8 * time.Second // for one event: less, so that no other worker gets it too
)

// Intake takes release events in.
type Intake struct {
	JS       jetstream.JetStream
	Names    Names
	Parallel int          // events handled at once; 0: 16
	Attempts int          // before an event is given up as a dead letter; 0: 20
	Log      *slog.Logger // nil: silent
}

// Run hands every release event to accept until ctx ends; then it waits for the calls and returns ctx's error. An event
// is done when accept returns nil. A deployments.RefusedError makes it a dead letter; after any other error it is tried
// again, later and later. Calls run side by side, and an event may come twice.
func (i Intake) Run(ctx context.Context, accept func(context.Context, deployments.Release) error) error {
	if i.Parallel == 0 {
		i.Parallel = intakeParallel
	}
	if i.Attempts == 0 {
		i.Attempts = intakeAttempts
	}
	i.Log = orDiscard(i.Log)
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, i.Parallel)
	return pull(ctx, i.JS, i.Names.Stream(ReleasesStream), ingestConsumer, i.Parallel, i.Log, func(msgs <-chan jetstream.Msg) {
		for msg := range msgs {
			free <- struct{}{}
			if ctx.Err() != nil {
				_ = msg.Nak()
				<-free
				continue
			}
			running.Go(func() {
				defer func() { <-free }()
				i.handle(ctx, msg, accept)
			})
		}
	})
}

// handle sees one event through.
func (i Intake) handle(ctx context.Context, msg jetstream.Msg, accept func(context.Context, deployments.Release) error) {
	ctx, cancel := context.WithTimeout(ctx, intakeWait)
	defer cancel()
	release, err := DecodeRelease(msg.Subject(), msg.Headers(), msg.Data())
	if err == nil {
		release.Order = orderOf(msg)
		err = accept(ctx, release)
	}
	settle{js: i.JS, names: i.Names, attempts: i.Attempts, hopeless: GaveUp, log: i.Log}.finish(ctx, msg, err)
}

// orderOf is the message's place in its stream.
func orderOf(msg jetstream.Msg) deployments.Order {
	meta, err := msg.Metadata()
	if err != nil {
		return deployments.Order{}
	}
	return deployments.Order{Seq: meta.Sequence.Stream, At: meta.Timestamp.UTC()}
}

// settle is what becomes of a message once it was handled.
type settle struct {
	js       jetstream.JetStream
	names    Names
	attempts int    // before it is given up
	hopeless string // the reason it is then buried for
	log      *slog.Logger
}

// finish acknowledges, buries or hands back a message, as err says. It reports whether it is buried.
func (s settle) finish(ctx context.Context, msg jetstream.Msg, err error) (buried bool) {
	stopping := ctx.Err() != nil
	// What was done is said, even when the worker stops meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishWait)
	defer cancel()
	if err == nil {
		// Unconfirmed, it would come again: whoever accepts knows what it has.
		if err := msg.DoubleAck(ctx); err != nil {
			s.log.Warn("message not acknowledged", "subject", msg.Subject(), "error", err)
		}
		return false
	}
	tried := attempt(msg)
	reason := deployments.Refusal(err)
	if reason == "" && tried >= s.attempts && !stopping {
		reason = s.hopeless
	}
	if reason == "" {
		s.log.Debug("message tried again later", "subject", msg.Subject(), "attempt", tried, "error", err)
		_ = msg.NakWithDelay(retryAfter(err, tried))
		return false
	}
	if lost := bury(ctx, s.js, s.names, msg, reason, err); lost != nil {
		s.log.Warn("message not buried yet", "subject", msg.Subject(), "reason", reason, "error", lost)
		_ = msg.NakWithDelay(backoff(tried))
		return false
	}
	s.log.Warn("message refused", "subject", msg.Subject(), "reason", reason, "error", err)
	return true
}

// attempt is how often a message was delivered, this time included.
func attempt(msg jetstream.Msg) int {
	meta, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(min(meta.NumDelivered, 1<<20))
}

// retryAfter is how long to leave a message alone: what the error asks for, else from 100 ms to a minute. A stop hands
// it over at once.
func retryAfter(err error, tried int) time.Duration {
	var asked interface{ RetryAfter() time.Duration }
	switch {
	case errors.As(err, &asked):
		return asked.RetryAfter()
	case errors.Is(err, context.Canceled):
		return 0
	default:
		return min(100*time.Millisecond<<min(tried-1, 12), time.Minute)
	}
}
