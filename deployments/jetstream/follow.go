package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// reader reads a stream in order, without a memory on the server. It survives lost connections: it then makes a new
// consumer behind the last sequence it has delivered, so nothing is skipped or reordered.
type reader struct {
	js     jetstream.JetStream
	stream string
	config jetstream.ConsumerConfig // what to deliver first
	log    *slog.Logger
}

// errEnough is what a callback returns to end the reading well.
var errEnough = errors.New("enough")

var errGap = errors.New("a message was lost on the way")

// sink takes what a reader delivers. caughtUp is called once, when everything that was stored at the beginning has been
// delivered. An error of either ends the reading and is returned by it.
type sink struct {
	each     func(jetstream.Msg, *jetstream.MsgMetadata) error
	caughtUp func() error
}

// openWait bounds one attempt. A server that has just lost its leader does not answer at all, and a context with a far
// deadline of its own keeps nats.go from giving up.
const openWait = 3 * time.Second

// open makes the consumer the reading begins with.
func (r reader) open(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	c := r.config
	c.AckPolicy, c.MemoryStorage, c.Replicas, c.InactiveThreshold = jetstream.AckNonePolicy, true, 1, 30*time.Second
	cons, err := r.js.CreateConsumer(ctx, r.stream, c)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", r.stream, err)
	}
	return cons, nil
}

// run delivers to s until ctx ends or s returns an error. first may be nil.
func (r reader) run(ctx context.Context, first jetstream.Consumer, s sink) error {
	p := &progress{sink: s}
	for attempt := 0; ; {
		if first == nil {
			if p.err = connected(ctx, r.js.Conn()); p.err == nil {
				first, p.err = r.open(ctx)
			}
		}
		if first != nil {
			before := p.last
			p.err = r.until(ctx, func(ctx context.Context) error { return p.read(ctx, first) })
			r.drop(ctx, first)
			if p.last != before {
				attempt = 0
			}
		}
		switch {
		case p.stop != nil:
			return p.stop
		case ctx.Err() != nil:
			return ctx.Err()
		}
		r.log.Debug("stream read anew", "stream", r.stream, "after", p.last, "error", p.err)
		if err := pause(ctx, backoff(attempt)); err != nil {
			return err
		}
		attempt++
		first = nil
		switch {
		case p.last > 0:
			r.config.DeliverPolicy, r.config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, p.last+1
		case p.told && r.config.DeliverPolicy == jetstream.DeliverLastPerSubjectPolicy:
			// There was nothing at the beginning: whatever is there now came later.
			r.config.DeliverPolicy = jetstream.DeliverAllPolicy
		}
	}
}

// until calls read with a context that also ends when the connection was lost and is back: a restarted server does not
// know the consumer any more, and the client itself would only notice after missed heartbeats.
func (r reader) until(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	back := r.js.Conn().StatusChanged(nats.CONNECTED)
	defer r.js.Conn().RemoveStatusListener(back)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		select {
		case <-back:
			cancel()
		case <-ctx.Done():
		}
	})
	err := read(ctx)
	cancel()
	return err
}

// drop removes a consumer that is read no more. Where that is lost the server removes it after InactiveThreshold.
func (r reader) drop(ctx context.Context, c jetstream.Consumer) {
	if !r.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.js.DeleteConsumer(ctx, r.stream, c.CachedInfo().Name)
}

// progress is how far a reading has come, over all its consumers.
type progress struct {
	sink
	last uint64 // the last sequence that was delivered
	told bool   // caughtUp has been called
	err  error  // why the consumer before this one was given up
	stop error  // what the sink returned
}

// read delivers from one consumer until that breaks, the sink has enough, or ctx ends.
func (p *progress) read(ctx context.Context, c jetstream.Consumer) error {
	stored := c.CachedInfo().NumPending
	n, err := p.load(ctx, c, stored)
	if err != nil || p.stop != nil || stored == 0 && !p.enough() {
		return err
	}
	iter, err := c.Messages(jetstream.PullMaxMessages(256), jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(followBeat))
	if err != nil {
		return err
	}
	defer iter.Stop()
	for {
		msg, err := iter.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		n++
		if err := p.take(msg, n, stored); err != nil || p.stop != nil {
			return err
		}
	}
}

const (
	// loadWait bounds one request for what is stored, and loadTries how often it is made in vain. In a cluster the
	// server of this connection may not have heard of a new consumer yet: it then drops the request without a word.
	loadWait  = 500 * time.Millisecond
	loadTries = 6
	// followBeat is how often an idle consumer says that it is there. A request that was dropped is noticed after two.
	followBeat = time.Second
)

var errSilent = errors.New("the consumer does not answer")

// load delivers what was stored when the consumer was made. It returns how many messages that were.
func (p *progress) load(ctx context.Context, c jetstream.Consumer, stored uint64) (n uint64, err error) {
	for silent := 0; n < stored && !p.told; {
		batch, err := c.Fetch(int(min(stored-n, 256)), jetstream.FetchMaxWait(loadWait))
		if err != nil {
			return n, err
		}
		before := n
		for msg := range batch.Messages() {
			n++
			if err := p.take(msg, n, stored); err != nil || p.stop != nil {
				return n, err
			}
		}
		switch {
		case ctx.Err() != nil:
			return n, ctx.Err()
		case batch.Error() != nil:
			return n, batch.Error()
		case n > before:
			silent = 0
		case silent == loadTries:
			return n, errSilent
		default:
			silent++
		}
	}
	return n, nil
}

// take delivers the nth message of a consumer.
func (p *progress) take(msg jetstream.Msg, n, stored uint64) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != n {
		return errGap
	}
	if p.stop = p.each(msg, meta); p.stop != nil {
		return nil
	}
	p.last = meta.Sequence.Stream
	if n >= stored || meta.NumPending == 0 {
		p.enough()
	}
	return nil
}

// enough tells the sink, once, that it has caught up, and reports whether to go on.
func (p *progress) enough() bool {
	if !p.told {
		p.told = true
		p.stop = p.caughtUp()
	}
	return p.stop == nil
}

// backoff is how long to wait before an attempt, counted from 0: 50 ms, doubled up to 5 s.
func backoff(attempt int) time.Duration {
	return min(50*time.Millisecond<<min(attempt, 10), 5*time.Second)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
