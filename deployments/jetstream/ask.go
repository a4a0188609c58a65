package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// LatestOf is a sequence that every event of a slot so far has at most; 0 when there is none. A caller that publishes
// and then follows from here misses nothing. ErrNobody: no worker answers, and the user may not read the stream.
func (e Events) LatestOf(ctx context.Context, s deployments.Slot) (uint64, error) {
	p, err := e.reader().events(ctx, s, math.MaxUint64)
	if err == nil {
		return p.Last, nil
	}
	limited, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	if last, failed := e.Latest(limited); failed == nil || missing(failed) {
		return last, failed
	}
	return 0, err
}

func (e Events) reader() Reader { return Reader{JS: e.JS, Names: e.Names, Log: e.Log} }

// following is how far Follow has come by asking.
type following struct {
	Events
	filter  Filter
	deliver func(uint64, deployments.Event) error
	after   uint64
	told    bool // the zero Event was delivered
}

// ask follows a slot by asking workers for what is stored. What is heard meanwhile on the events' own subjects says when
// to ask; between, it asks now and then.
func (e Events) ask(ctx context.Context, f Filter, after uint64, deliver func(uint64, deployments.Event) error) error {
	heard := make(chan *nats.Msg, 64)
	sub, err := e.JS.Conn().ChanSubscribe(e.Names.Subject("event", f.Slot.Subject(), ">"), heard)
	if err != nil {
		return fmt.Errorf("follow %s: %w", f.Slot, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	w := &following{Events: e, filter: f, deliver: deliver, after: after}
	alone := false // no worker has answered, and the stream was tried
	for attempt := 0; ; {
		before := w.after
		more, err := w.once(ctx)
		var stop stopError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case e.JS.Conn().IsClosed(): // a request under way when the server goes fails with ErrConnectionClosed too
			return nats.ErrConnectionClosed
		case err != nil && !alone && !w.told && w.after == after:
			alone = true
			if failed := e.read(ctx, f, after, deliver); !gaveUp(failed) {
				return failed
			}
			continue
		case errors.Is(err, nats.ErrPermissionViolation):
			return err
		case more:
			continue
		case w.after != before:
			attempt = 0
		}
		if err := wait(ctx, heard, &attempt); err != nil {
			return err
		}
	}
}

// gaveUp reports whether the stream itself could not be read: the server leaves a request without an answer that the
// user may not make.
func gaveUp(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders)
}

// stopError is what deliver returned.
type stopError struct{ error }

// once asks for what is stored and delivers it. more: there is more to ask for at once.
func (w *following) once(ctx context.Context) (more bool, err error) {
	p, err := w.reader().events(ctx, w.filter.Slot, w.after)
	if err != nil {
		return false, err
	}
	for _, m := range p.Messages {
		if err := w.hand(w.filter, m, w.deliver); err != nil {
			return false, stopError{err}
		}
		w.after = m.Sequence
	}
	if p.More || w.told {
		return p.More, nil
	}
	w.told = true
	if err := w.deliver(0, deployments.Event{}); err != nil {
		return false, stopError{err}
	}
	return false, nil
}

// wait waits until an event is heard, or for longer and longer: an event is heard a little before it is stored.
func wait(ctx context.Context, heard <-chan *nats.Msg, attempt *int) error {
	pause := time.NewTimer(backoff(*attempt))
	defer pause.Stop()
	*attempt++
	select {
	case <-heard:
		*attempt = 0
	case <-pause.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for len(heard) > 0 {
		<-heard
	}
	return nil
}
