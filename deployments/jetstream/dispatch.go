package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

const (
	dispatchBatch = 64
	// maxRemembered bounds the entries kept in memory, of a few kilobytes each.
	maxRemembered = 512
	// dispatchAckWait is how long the events of an entry may be late when the worker that had it was killed.
	dispatchAckWait = 5 * time.Second
	dispatchWait    = 4 * time.Second // for one entry
	// retold bounds what is told again to be sure. The events stream knows ids for twice as long.
	retold    = 5 * time.Minute
	maxRetold = 16 // entries
)

// Dispatch publishes the events of journal entries. Any number of workers may run one: each entry goes to one of them.
type Dispatch struct {
	JS      jetstream.JetStream
	Names   Names
	Journal *Journal
	Log     *slog.Logger // nil: silent

	Structured bool // CloudEvents in structured mode: one JSON object that has attributes and data
}

// Run publishes what events returns for every entry, until ctx ends. prev is the slot's entry before e, the zero Entry
// when there is none or it is purged. Events of one worker keep the order of a slot: when an entry is tried again
// later, the slot's entries behind it in the batch are too, and other slots go on. Entries just before, which another
// worker may have left untold when it was killed, are told again first: under the same ids, they are stored once.
// Between workers only the sequence that events carry tells the order. An entry that cannot be read becomes a dead
// letter, and an error line.
func (d Dispatch) Run(ctx context.Context, events func(prev, e deployments.Entry) []deployments.Event) error {
	d.Log = orDiscard(d.Log)
	known := map[deployments.Slot]deployments.Entry{}
	return pull(ctx, d.JS, d.Names.Stream(JournalStream), dispatchConsumer, dispatchBatch, d.Log, func(msgs <-chan jetstream.Msg) {
		waiting := map[string]bool{} // subjects of slots whose entries are tried again
		for msg := range msgs {
			if ctx.Err() != nil {
				_ = msg.Nak()
				continue
			}
			err := errEarlier
			if !waiting[msg.Subject()] {
				err = d.entry(ctx, msg, known, events)
			}
			waiting[msg.Subject()] = d.finish(ctx, msg, err)
		}
	})
}

var errEarlier = errors.New("an earlier entry of the slot waits")

// finish settles an entry's message and reports whether it will come again.
func (d Dispatch) finish(ctx context.Context, msg jetstream.Msg, err error) (again bool) {
	reason := deployments.Refusal(err)
	switch {
	case err == nil:
		// A lost acknowledgement means the same events once more, under the same ids.
		_ = msg.Ack()
	case reason != "":
		if buried := bury(ctx, d.JS, d.Names, msg, reason, err); buried == nil {
			d.Log.Error("entry not dispatched", "subject", msg.Subject(), "reason", reason, "error", err)
			return false
		}
		fallthrough
	default:
		if !errors.Is(err, errEarlier) {
			d.Log.Warn("entry dispatched later", "subject", msg.Subject(), "error", err)
		}
		_ = msg.NakWithDelay(retryAfter(err, attempt(msg)))
		return true
	}
	return false
}

// entry publishes the events of one entry.
func (d Dispatch) entry(ctx context.Context, msg jetstream.Msg, known map[deployments.Slot]deployments.Entry, events func(prev, e deployments.Entry) []deployments.Event) error {
	ctx, cancel := context.WithTimeout(ctx, dispatchWait)
	defer cancel()
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	e, err := decodeEntry(msg.Subject(), meta.Sequence.Stream, msg.Data())
	if errors.Is(err, deployments.ErrNewer) {
		return err // a later version of serin will take it
	}
	if err != nil {
		return deployments.Refuse(Poison, err)
	}
	links, err := d.links(ctx, e, known)
	if err != nil {
		return err
	}
	for _, l := range links {
		for _, event := range events(l.prev, l.e) {
			if err := d.Publish(ctx, event); err != nil {
				return err
			}
		}
	}
	if len(known) >= maxRemembered {
		for s := range known { // any one
			delete(known, s)
			break
		}
	}
	known[e.Slot] = e
	return nil
}

// link is an entry to tell, and the one before it.
type link struct{ prev, e deployments.Entry }

// links are e and, before it, the slot's entries of the last minutes that were not told here.
func (d Dispatch) links(ctx context.Context, e deployments.Entry, known map[deployments.Slot]deployments.Entry) ([]link, error) {
	var links []link
	for {
		prev, err := d.before(ctx, e, known)
		if err != nil {
			return nil, err
		}
		links = append(links, link{prev, e})
		if prev.Sequence == 0 || prev.Sequence == known[e.Slot].Sequence || time.Since(prev.At) > retold || len(links) > maxRetold {
			slices.Reverse(links)
			return links, nil
		}
		e = prev
	}
}

// before is the slot's entry that e was written behind.
func (d Dispatch) before(ctx context.Context, e deployments.Entry, known map[deployments.Slot]deployments.Entry) (deployments.Entry, error) {
	if e.After == 0 {
		return deployments.Entry{}, nil
	}
	if prev := known[e.Slot]; prev.Sequence == e.After {
		return prev, nil
	}
	prev, err := d.Journal.Get(ctx, e.After)
	if err != nil && prev.Sequence != 0 && !errors.Is(err, deployments.ErrNewer) {
		// It is there and cannot be read: it has its own dead letter.
		return deployments.Entry{}, nil
	}
	return prev, err
}

var eventSubject = regexp.MustCompile(`^(event(\.[A-Za-z0-9_-]+){3,}|rollback(\.[A-Za-z0-9_-]+){2})$`)

// Publish publishes one event and waits until it is stored. Run does it for those that follow from entries.
func (d Dispatch) Publish(ctx context.Context, e deployments.Event) error {
	if !eventSubject.MatchString(e.Subject) {
		// No stream would take it: that looks like an outage, and would be tried for ever.
		return refuse(Poison, "event %s: its subject %q is neither event.<env>.<service>.<name> nor rollback.<env>.<service>", e.ID, e.Subject)
	}
	write := EncodeEvent
	if d.Structured {
		write = EncodeStructured
	}
	msg, err := write(d.Names, e)
	if err != nil {
		return deployments.Refuse(Poison, err)
	}
	_, err = d.JS.PublishMsg(ctx, msg, jetstream.WithMsgID(e.ID), jetstream.WithExpectStream(d.Names.Stream(EventsStream)))
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return deployments.Refuse(TooLarge, fmt.Errorf("publish event %s: %w", e.ID, err))
	case err != nil:
		return fmt.Errorf("publish event %s: %w", e.ID, err)
	}
	return nil
}
