package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// entries is a slot's readable entries behind a sequence.
func (s *shelf) entries(ctx context.Context, slot deployments.Slot, q query) (page, error) {
	if err := slot.Validate(); err != nil {
		return page{}, err
	}
	j, err := s.journal(ctx)
	if err != nil {
		return page{}, err
	}
	p, size := page{}, 0
	for next := q.After + 1; ; {
		msg, err := j.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(j.subject(slot)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return p, nil
		}
		if err != nil {
			return page{}, fmt.Errorf("read entries of %s: %w", slot, err)
		}
		if len(p.Messages) == pageMessages || len(p.Messages) > 0 && size+len(msg.Data) > pageBytes {
			p.More = true
			return p, nil
		}
		if m := storedRaw(msg); !m.unreadable() {
			p.Messages, size = append(p.Messages, m), size+len(msg.Data)
		}
		next = msg.Sequence + 1
	}
}

// Entries hands over a slot's entries, oldest first, until each returns an error, which Entries then returns.
func (r Reader) Entries(ctx context.Context, s deployments.Slot, each func(deployments.Entry) error) error {
	return r.EntriesAfter(ctx, s, 0, each)
}

// EntriesAfter hands over a slot's entries behind a sequence of the journal's stream, as Entries does.
func (r Reader) EntriesAfter(ctx context.Context, s deployments.Slot, after uint64, each func(deployments.Entry) error) error {
	subject := r.Names.Subject("read", s.Subject(), readJournal)
	for q := (query{After: after}); ; {
		p, err := asks(ctx, r, subject, q, func(ctx context.Context, q query) (page, error) { return r.shelf().entries(ctx, s, q) })
		if err != nil {
			return err
		}
		for _, m := range p.Messages {
			e, err := decodeEntry(m.Subject, m.Sequence, m.Data)
			if err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
			q.After = m.Sequence
		}
		if !p.More {
			return nil
		}
	}
}
