package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

const (
	tellAttempts = 15
	tellAckWait  = 60 * time.Second
	tellWait     = 25 * time.Second // for one event: less, so that no other worker tells it too
	tellPatience = 30 * time.Minute // an outage of a receiver that costs no event
	tellPrefix   = "tell-"          // of a notifier's durable consumer
	tellPending  = 10_000           // events that wait for a receiver's pace, and hold up none behind them
)

// Events reads the public events.
type Events struct {
	JS       jetstream.JetStream
	Names    Names
	Attempts int          // of Tell, before an event is given up as a dead letter; 0: 15, and not in its first half hour
	Log      *slog.Logger // nil: silent

	Undelivered func(name string) // nil, or told of each event that Tell has given up
}

// Filter says which events to follow. Empty fields let everything through.
type Filter struct {
	Slot    deployments.Slot // both names or none
	Rollout string
	Release string // the release event's id
}

// Latest is the sequence of the newest event; 0 when there is none. A caller that publishes and then follows from here
// misses nothing.
func (e Events) Latest(ctx context.Context) (uint64, error) {
	s, err := e.JS.Stream(ctx, e.Names.Stream(EventsStream))
	if err != nil {
		return 0, fmt.Errorf("read events: %w", err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// Follow delivers the events behind a sequence (0: all that are stored), in order, then a zero Event, then every later
// one, until ctx ends or deliver returns an error; it returns that error. It survives lost connections. The rollback
// event, which has a subject of its own, is among those of all slots only; rollout.failed comes before it on either.
//
// Events of one slot are asked of the workers, see [Reader]; where none answers, and for those of all slots, they are
// read from the stream, as far as the user may.
func (e Events) Follow(ctx context.Context, f Filter, after uint64, deliver func(seq uint64, event deployments.Event) error) error {
	if f.Slot == (deployments.Slot{}) {
		return e.read(ctx, f, after, deliver)
	}
	if err := f.Slot.Validate(); err != nil {
		return err
	}
	return e.ask(ctx, f, after, deliver)
}

// read follows the stream itself.
func (e Events) read(ctx context.Context, f Filter, after uint64, deliver func(uint64, deployments.Event) error) error {
	c := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1}
	if f.Slot != (deployments.Slot{}) {
		c.FilterSubject = e.Names.Subject("event", f.Slot.Subject(), ">")
	}
	r := reader{e.JS, e.Names.Stream(EventsStream), c, orDiscard(e.Log)}
	limited, cancel := context.WithTimeout(ctx, localWait)
	first, err := r.open(limited)
	cancel()
	if err != nil {
		return err
	}
	return r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			return e.hand(f, stored{meta.Sequence.Stream, msg.Subject(), msg.Headers(), msg.Data()}, deliver)
		},
		caughtUp: func() error { return deliver(0, deployments.Event{}) },
	})
}

// hand delivers an event that is wanted.
func (e Events) hand(f Filter, m stored, deliver func(uint64, deployments.Event) error) error {
	event, err := DecodeEvent(e.Names, m.Subject, m.Header, m.Data)
	if err != nil {
		orDiscard(e.Log).Warn("event skipped", "sequence", m.Sequence, "error", err)
		return nil
	}
	if !f.wants(event) {
		return nil
	}
	return deliver(m.Sequence, event)
}

func (f Filter) wants(e deployments.Event) bool {
	return (f.Rollout == "" || f.Rollout == e.Data.Rollout) && (f.Release == "" || f.Release == e.Data.Release)
}

// Tell hands every event from now on to deliver, one at a time, until ctx ends. The name keeps the place over restarts:
// events of the time between are delivered too. An error is tried again, later and later, or after the error's
// RetryAfter() time.Duration when it has one; meanwhile others go on. One whose WaitsItsTurn() bool is true is no try.
// What cannot be delivered becomes a dead letter. The half hour of an event's first tries begins with the first one that
// fails, or would have (LeftAlone() bool): however long the line was, an outage of a moment costs nothing.
func (e Events) Tell(ctx context.Context, name string, deliver func(context.Context, deployments.Event) error) error {
	patient := e.Attempts == 0
	if patient {
		e.Attempts = tellAttempts
	}
	e.Log = orDiscard(e.Log)
	if err := (deployments.Slot{Environment: "any", Service: name}).Validate(); err != nil {
		return fmt.Errorf("tell %q: a notifier's name has 1 to 63 of letters, digits, - and _", name)
	}
	stream, durable := e.Names.Stream(EventsStream), tellPrefix+name
	if err := e.remember(ctx, stream, durable); err != nil {
		return fmt.Errorf("tell %s: %w", name, err)
	}
	failing := outages{}
	end := settle{js: e.JS, names: e.Names, attempts: e.Attempts, hopeless: Stranded, log: e.Log.With("notifier", name)}
	return pull(ctx, e.JS, stream, durable, 1, e.Log, func(msgs <-chan jetstream.Msg) {
		for msg := range msgs {
			if ctx.Err() != nil {
				_ = msg.Nak()
				continue
			}
			err, end := e.tell(ctx, msg, deliver), end
			if failing.young(msg, err, time.Now()) && patient || waitsItsTurn(err) {
				end.attempts = math.MaxInt
			}
			if end.finish(ctx, msg, err) && e.Undelivered != nil {
				e.Undelivered(name)
			}
		}
	})
}

// outages is since when telling of an event fails, by its sequence.
type outages map[uint64]time.Time

// young reports whether an event may be tried as often as it takes.
func (o outages) young(msg jetstream.Msg, err error, at time.Time) bool {
	const most = 10_000 // more than wait at once
	meta, lost := msg.Metadata()
	if lost != nil {
		return false
	}
	seq := meta.Sequence.Stream
	if err == nil {
		delete(o, seq)
		return true
	}
	var alone interface{ LeftAlone() bool }
	if waitsItsTurn(err) && !(errors.As(err, &alone) && alone.LeftAlone()) {
		return true
	}
	since, failed := o[seq]
	if !failed {
		if len(o) >= most {
			clear(o)
		}
		since, o[seq] = at, at
	}
	return at.Sub(since) < tellPatience
}

// waitsItsTurn reports whether nobody was asked, which is no try: the error says so.
func waitsItsTurn(err error) bool {
	var turn interface{ WaitsItsTurn() bool }
	return errors.As(err, &turn) && turn.WaitsItsTurn()
}

// remember makes the durable consumer of a notifier, once. One that exists keeps its place.
func (e Events) remember(ctx context.Context, stream, durable string) error {
	_, err := e.JS.Consumer(ctx, stream, durable)
	if !missing(err) {
		return err
	}
	_, err = e.JS.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: durable, DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: tellAckWait, MaxDeliver: -1, MaxAckPending: tellPending,
	})
	return err
}

func (e Events) tell(ctx context.Context, msg jetstream.Msg, deliver func(context.Context, deployments.Event) error) error {
	event, err := DecodeEvent(e.Names, msg.Subject(), msg.Headers(), msg.Data())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	if err := deliver(ctx, event); err != nil {
		return fmt.Errorf("deliver event %s: %w", event.ID, err)
	}
	return nil
}
