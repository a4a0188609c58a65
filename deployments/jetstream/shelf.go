package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Bounds of one answer.
const (
	pageMessages = 256
	pageBytes    = 384 << 10 // of bodies: encoded, they fit into the 1 MiB a server takes by default
)

// shelf answers questions about what is stored.
type shelf struct {
	Reader

	mu     sync.Mutex
	opened *Journal
	told   jetstream.Stream
}

// services are the questions that a shelf answers.
func (s *shelf) services(n Names) []service {
	all := []service{
		{pattern: "read.*.*.*", handle: answers(func(ctx context.Context, r Request, q query) (any, error) { return s.read(ctx, r, q) })},
		{pattern: "slots", handle: answers(func(ctx context.Context, _ Request, q query) (any, error) { return s.slots(ctx, "", q) })},
		{pattern: "slots.*", handle: answers(func(ctx context.Context, r Request, q query) (any, error) { return s.slots(ctx, r.Slot.Environment, q) })},
		{pattern: "about", handle: answers(func(ctx context.Context, _ Request, _ query) (any, error) { return s.about(ctx) })},
	}
	for i := range all {
		all[i].queue = n.Subject("workers")
	}
	return all
}

func answers(f func(context.Context, Request, query) (any, error)) func(context.Context, Request) (Reply, bool) {
	return func(ctx context.Context, r Request) (Reply, bool) {
		var q query
		if len(r.Data) > 0 {
			if err := json.Unmarshal(r.Data, &q); err != nil {
				return Refused(deployments.Refuse(Malformed, err)), true
			}
		}
		found, err := f(ctx, r, q)
		if err != nil {
			return Refused(err), true
		}
		state, err := json.Marshal(found)
		if err != nil {
			return Refused(err), true
		}
		return Reply{OK: true, State: state}, true
	}
}

func (s *shelf) read(ctx context.Context, r Request, q query) (any, error) {
	switch r.Verb {
	case readEvents:
		return s.events(ctx, r.Slot, q)
	case readLast:
		return s.last(ctx, r.Slot)
	case readHistory:
		return s.history(ctx, r.Slot, q)
	case readJournal:
		return s.entries(ctx, r.Slot, q)
	}
	return nil, refuse(Invalid, "%q cannot be read: known are %s, %s, %s, %s", r.Verb, readEvents, readLast, readHistory, readJournal)
}

func (s *shelf) journal(ctx context.Context) (*Journal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		j, err := OpenJournal(ctx, s.JS, s.Names, s.Log)
		if err != nil {
			return nil, err
		}
		s.opened = j
	}
	return s.opened, nil
}

func (s *shelf) about(ctx context.Context) (page, error) {
	j, err := s.journal(ctx)
	if err != nil {
		return page{}, err
	}
	return page{Partitions: j.partitions}, nil
}

func (s *shelf) last(ctx context.Context, slot deployments.Slot) (page, error) {
	if err := slot.Validate(); err != nil {
		return page{}, err
	}
	j, err := s.journal(ctx)
	if err != nil {
		return page{}, err
	}
	m, _, err := j.newest(ctx, slot)
	if err != nil || m.Sequence == 0 {
		return page{}, err
	}
	return page{Messages: []stored{m}}, nil
}

// slots is the newest entries of a partition, by their sequence.
func (s *shelf) slots(ctx context.Context, environment string, q query) (page, error) {
	j, err := s.journal(ctx)
	if err != nil {
		return page{}, err
	}
	if q.Partition < 0 || q.Partition >= j.partitions {
		return page{}, refuse(Invalid, "there is no partition %d of %d", q.Partition, j.partitions)
	}
	if (Scope{Environment: environment}).Validate() != nil {
		return page{}, refuse(BadName, "environment %q is no name", environment)
	}
	filter := j.names.Subject("journal", strconv.Itoa(q.Partition), orAny(environment, "*"), "*")
	p, size := page{Partitions: j.partitions}, 0
	err = j.each(ctx, j.reader(filter, jetstream.DeliverLastPerSubjectPolicy), func(m stored) error {
		if m.Sequence <= q.After {
			return nil
		}
		if len(p.Messages) > 0 && size+len(m.Data) > pageBytes {
			p.More = true
			return errEnough
		}
		p.Messages, size = append(p.Messages, m), size+len(m.Data)
		return nil
	})
	return p, err
}

// events is a slot's events behind a sequence.
func (s *shelf) events(ctx context.Context, slot deployments.Slot, q query) (page, error) {
	stream, err := s.stream(ctx)
	if err != nil {
		return page{}, err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return page{}, fmt.Errorf("read events of %s: %w", slot, err)
	}
	p, size := page{Last: info.State.LastSeq}, 0
	filter := s.Names.Subject("event", slot.Subject(), ">")
	for next := q.After + 1; next != 0 && next <= p.Last; {
		msg, err := stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return page{}, fmt.Errorf("read events of %s: %w", slot, err)
		}
		if len(p.Messages) == pageMessages || len(p.Messages) > 0 && size+len(msg.Data) > pageBytes {
			p.More = true
			break
		}
		p.Messages, size = append(p.Messages, stored{msg.Sequence, msg.Subject, msg.Header, msg.Data}), size+len(msg.Data)
		next = msg.Sequence + 1
	}
	return p, nil
}

func (s *shelf) stream(ctx context.Context) (jetstream.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		found, err := s.JS.Stream(ctx, s.Names.Stream(EventsStream))
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		s.told = found
	}
	return s.told, nil
}
