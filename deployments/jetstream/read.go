package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/deployments"
)

// What can be read of a slot: the last token of <prefix>.read.<env>.<service>.<what>.
const (
	readEvents  = "events"
	readLast    = "last"    // the newest entry
	readHistory = "history" // what became of rollouts
	readJournal = "journal" // the entries that are kept
)

// localWait is how long to try without workers: who may not read gets no answer.
const localWait = 2 * time.Second

// Reader reads what is stored about slots. It asks the workers, so that its user needs no right to any stream: the body
// of a request for stored messages can name whatever it likes, and no permission sees it. Where no worker answers it
// reads itself, as far as its user may.
type Reader struct {
	JS    jetstream.JetStream
	Names Names
	Log   *slog.Logger // nil: silent
}

// query is what a question about stored messages says beside its subject.
type query struct {
	After     uint64 `json:"after,omitempty"`     // sequence in the stream
	N         int    `json:"n,omitempty"`         // at most
	Partition int    `json:"partition,omitempty"` // of slots

	Since time.Time `json:"since,omitzero"` // of history: rollouts that ended then or later, and the live one
	Until time.Time `json:"until,omitzero"` // of history: those that ended before; not the live one
}

// stored is one message of a stream.
type stored struct {
	Sequence uint64      `json:"sequence"`
	Subject  string      `json:"subject"`
	Header   nats.Header `json:"header,omitempty"`
	Data     []byte      `json:"data"`
}

// page is a part of what was asked for.
type page struct {
	Messages   []stored `json:"messages"`
	More       bool     `json:"more,omitempty"`       // behind the last one
	Last       uint64   `json:"last,omitempty"`       // of events: the newest sequence there is, of any slot
	Partitions int      `json:"partitions,omitempty"` // of slots
}

// Last is a slot's newest entry, the zero Entry when there is none.
func (r Reader) Last(ctx context.Context, s deployments.Slot) (deployments.Entry, error) {
	p, err := asks(ctx, r, r.Names.Subject("read", s.Subject(), readLast), query{}, func(ctx context.Context, _ query) (page, error) {
		return r.shelf().last(ctx, s)
	})
	if err != nil || len(p.Messages) == 0 {
		return deployments.Entry{}, err
	}
	m := p.Messages[0]
	return decodeEntry(m.Subject, m.Sequence, m.Data)
}

// History is the slot's rollouts, newest first, at most n: those that have ended, and the one that is live.
func (r Reader) History(ctx context.Context, s deployments.Slot, n int) ([]deployments.Summary, error) {
	return r.history(ctx, s, query{N: n})
}

// HistorySince is all of the slot's rollouts that ended at an instant or later, newest first, and before them the one
// that is live.
func (r Reader) HistorySince(ctx context.Context, s deployments.Slot, since time.Time) ([]deployments.Summary, error) {
	var all []deployments.Summary
	for q := (query{N: maxHistory, Since: since}); ; {
		found, err := r.history(ctx, s, q)
		if err != nil {
			return nil, err
		}
		if q.unheard(found) {
			if len(found) < maxHistory {
				return all, nil
			}
			return nil, fmt.Errorf("read history of %s: a worker of an earlier version tells of the last %d rollouts alone: update it, or ask for a shorter time", s, maxHistory)
		}
		older := slices.IndexFunc(found, func(f deployments.Summary) bool { return !f.Ended.IsZero() && f.Ended.Before(since) })
		if older >= 0 || len(found) == 0 {
			return append(all, found[:max(older, 0)]...), nil
		}
		if all = append(all, found...); found[len(found)-1].Ended.IsZero() {
			return all, nil // nothing but the live one
		}
		q.Until = found[len(found)-1].Ended
	}
}

// unheard reports whether an answer is that of a worker of an earlier version, which knows no Until.
func (q query) unheard(found []deployments.Summary) bool {
	return !q.Until.IsZero() && len(found) > 0 && (found[0].Ended.IsZero() || !found[0].Ended.Before(q.Until))
}

func (r Reader) history(ctx context.Context, s deployments.Slot, q query) ([]deployments.Summary, error) {
	return asks(ctx, r, r.Names.Subject("read", s.Subject(), readHistory), q, func(ctx context.Context, q query) ([]deployments.Summary, error) {
		return r.shelf().history(ctx, s, q)
	})
}

// Slots is the newest entry of every slot of an environment ("": of all), in no order.
func (r Reader) Slots(ctx context.Context, environment string) ([]deployments.Entry, error) {
	partitions, err := r.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	subject := r.Names.Subject(append([]string{"slots"}, nonEmpty(environment)...)...)
	found := make([][]deployments.Entry, partitions)
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(8)
	for i := range partitions {
		reading.Go(func() (err error) {
			found[i], err = r.partition(ctx, subject, environment, i)
			return err
		})
	}
	err = reading.Wait()
	return slices.Concat(found...), err
}

func (r Reader) partition(ctx context.Context, subject, environment string, partition int) ([]deployments.Entry, error) {
	var entries []deployments.Entry
	for q := (query{Partition: partition}); ; {
		p, err := asks(ctx, r, subject, q, func(ctx context.Context, q query) (page, error) { return r.shelf().slots(ctx, environment, q) })
		if err != nil {
			return nil, err
		}
		for _, m := range p.Messages {
			e, err := decodeEntry(m.Subject, m.Sequence, m.Data)
			if err != nil {
				return nil, err
			}
			entries, q.After = append(entries, e), m.Sequence
		}
		if !p.More {
			return entries, nil
		}
	}
}

// Partitions is how many there are.
func (r Reader) Partitions(ctx context.Context) (int, error) {
	p, err := asks(ctx, r, r.Names.Subject("about"), query{}, func(ctx context.Context, _ query) (page, error) { return r.shelf().about(ctx) })
	return p.Partitions, err
}

// events is the slot's events behind a sequence, from a worker.
func (r Reader) events(ctx context.Context, s deployments.Slot, after uint64) (page, error) {
	return asks[page](ctx, r, r.Names.Subject("read", s.Subject(), readEvents), query{After: after}, nil)
}

func (r Reader) shelf() *shelf { return &shelf{Reader: r} }

// asks asks a worker, and then itself.
func asks[T any](ctx context.Context, r Reader, subject string, q query, itself func(context.Context, query) (T, error)) (T, error) {
	var answer T
	reply, err := Client{Conn: r.JS.Conn(), Names: r.Names}.ask(ctx, subject, q, "is serin serve running?")
	switch {
	case err == nil && !reply.OK:
		return answer, errors.New(reply.Error)
	case err == nil:
		if err = json.Unmarshal(reply.State, &answer); err != nil {
			err = fmt.Errorf("ask %s: the answer cannot be read: %w", subject, err)
		}
		return answer, err
	case itself == nil || ctx.Err() != nil:
		return answer, err
	}
	limited, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	found, failed := itself(limited, q)
	if failed == nil || !errors.Is(failed, context.DeadlineExceeded) && !errors.Is(failed, nats.ErrTimeout) && !errors.Is(failed, nats.ErrNoResponders) {
		return found, failed
	}
	return answer, err
}
