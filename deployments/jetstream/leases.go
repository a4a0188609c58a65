package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// leaseBatch is how many partitions are taken at once: workers that start together share them.
const leaseBatch = 8

// Leases hands out partitions: each is one message of a work queue, kept in flight while it is held.
type Leases struct {
	JS    jetstream.JetStream
	Names Names
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: silent

	// Share says how many partitions a worker that holds some wants, and whether it should hand one back; nil: as many
	// as it can. It is asked often.
	Share func(held int) (want int, shed bool)

	pace time.Duration // between two partitions handed back for balance; 0: 1 s
}

var _ deployments.Leases = Leases{}

// Hold takes up to capacity partitions and calls hold for each, as deployments.Leases says. It takes leases again after
// an outage. A partition whose call returns by itself is handed back and is free again after AckWait. It returns ctx's
// error, or at once an error when the leases were never set up.
func (l Leases) Hold(ctx context.Context, capacity int, hold func(ctx context.Context, partition int)) error {
	h := &holder{log: orDiscard(l.Log), now: l.Now, capacity: capacity, call: hold, share: l.Share, settled: func() bool { return isSettled(l.JS) }, pace: cmp.Or(l.pace, shedEvery),
		held: map[int]*lease{}, returned: make(chan int), fetched: make(chan batch)}
	if h.now == nil {
		h.now = time.Now
	}
	for attempt := 0; ; attempt++ {
		c, err := l.JS.Consumer(ctx, l.Names.Stream(LeaseStream), leaseConsumer)
		if err == nil {
			h.use(l.JS, c)
			return h.run(ctx)
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("hold partitions: run serin setup first: %w", err)
		}
		h.log.Warn("leases not reached", "error", err)
		if err := pause(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// use takes the times from the consumer: the server decides when it gives a message to another.
func (h *holder) use(js jetstream.JetStream, c jetstream.Consumer) {
	h.cons, h.conn = c, js.Conn()
	h.ackWait = c.CachedInfo().Config.AckWait
	h.trust = h.ackWait - h.ackWait/8
	h.fetchWait = min(h.ackWait/8, 500*time.Millisecond)
}

// run is the holder's one loop; all its state belongs to it.
func (h *holder) run(ctx context.Context) error {
	renew := time.NewTicker(h.ackWait / 4)
	defer renew.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	shed, stop := h.sheds()
	defer stop()
	fetching, failures := false, 0
	for ctx.Err() == nil {
		var again <-chan time.Time
		if !fetching && len(h.held) < h.capacity {
			again = retry.C
		}
		select {
		case <-again:
			fetching = true
			go h.fetch(ctx, h.appetite())
		case b := <-h.fetched:
			fetching, failures = b.more, h.receive(ctx, b, failures)
			if !b.more {
				retry.Reset(h.waitAfter(b, failures))
			}
		case <-renew.C:
			h.renew()
		case <-shed:
			h.shed()
		case p := <-h.returned:
			h.finish(ctx, p)
			retry.Reset(0)
		case <-ctx.Done():
		}
	}
	h.handBack(fetching)
	return ctx.Err()
}

// waitAfter is how long to leave the queue alone. An empty answer to an order that is not spare has waited on the
// server already.
func (h *holder) waitAfter(b batch, failures int) time.Duration {
	switch {
	case b.err != nil:
		return min(backoff(failures), h.ackWait/4) // what nobody holds is not evaluated meanwhile
	case b.spare && b.got < b.n:
		return min(h.ackWait/8, spareWait)
	}
	return 0
}

// fetch asks for leases and hands each to the loop as it comes, and at the end a batch that says so.
func (h *holder) fetch(ctx context.Context, o order) {
	b := batch{order: o}
	var answer jetstream.MessageBatch
	err := connected(ctx, h.conn)
	b.asked = h.now()
	if err == nil {
		answer, err = h.ask(o)
	}
	if err == nil {
		for msg := range answer.Messages() {
			b.got++
			h.fetched <- batch{order: o, asked: b.asked, msgs: []jetstream.Msg{msg}, more: true}
		}
		err = answer.Error()
	}
	b.err = err
	h.fetched <- b
}

// receive begins a call for each lease of a batch and returns the number of failures in a row.
func (h *holder) receive(ctx context.Context, b batch, failures int) int {
	h.rest(b)
	for _, msg := range b.msgs {
		p, err := strconv.Atoi(string(msg.Data()))
		if err != nil {
			h.log.Error("lease names no partition", "body", string(msg.Data()))
			_ = msg.NakWithDelay(time.Minute)
			continue
		}
		h.take(ctx, p, msg, b.asked.Add(h.trust))
	}
	if b.err == nil {
		return 0
	}
	if ctx.Err() == nil {
		h.log.Warn("leases not fetched", "error", b.err)
	}
	return failures + 1
}
