package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Watch delivers the newest entry of each slot of a partition, then a zero Entry, then every later entry; after a fault
// an entry may come twice. An entry of a later format comes with Slot, V and Sequence only. In the place of one that
// cannot be read the one before it comes, with the sequence of the unreadable. The channel is closed when ctx ends.
func (j *Journal) Watch(ctx context.Context, partition int) (<-chan deployments.Entry, error) {
	r := j.reader(j.names.Subject("journal", strconv.Itoa(partition), ">"), jetstream.DeliverLastPerSubjectPolicy)
	first, err := r.open(ctx)
	if err != nil && (ctx.Err() != nil || !passing(err)) {
		return nil, fmt.Errorf("watch partition %d: %w", partition, err)
	}
	if err != nil {
		// To hand the partition back would leave it to nobody for longer than the servers take to elect a leader.
		j.log.Warn("partition is watched later", "partition", partition, "error", err)
	}
	entries := make(chan deployments.Entry, 64)
	send := func(e deployments.Entry) error {
		select {
		case entries <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() {
		defer close(entries)
		_ = r.run(ctx, first, sink{
			each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
				e, err := decodeEntry(msg.Subject(), meta.Sequence.Stream, msg.Data())
				if err != nil {
					j.log.Error("entry cannot be used", "sequence", meta.Sequence.Stream, "subject", msg.Subject(), "error", err)
				}
				if unreadable(err) {
					if e, err = j.insteadOf(ctx, msg.Subject(), meta.Sequence.Stream); err != nil {
						return err
					}
				}
				return send(e)
			},
			caughtUp: func() error { return send(deployments.Entry{}) },
		})
	}()
	return entries, nil
}

// passing reports whether a request failed for a reason that passes: no answer, no leader, no connection.
func passing(err error) bool {
	api, ok := errors.AsType[jetstream.JetStreamError](err)
	return !ok || api.APIError() == nil || api.APIError().Code == http.StatusServiceUnavailable
}

// insteadOf is the entry that counts where one cannot be read. It waits while the journal cannot be reached.
func (j *Journal) insteadOf(ctx context.Context, subject string, seq uint64) (deployments.Entry, error) {
	for attempt := 0; ; attempt++ {
		m, err := j.readable(ctx, subject, seq)
		if err == nil {
			e, err := lifted(m, seq)
			if m.Sequence == 0 {
				e.Slot, _ = deployments.SlotOf(subject)
			}
			if err != nil {
				j.log.Error("entry cannot be used", "sequence", m.Sequence, "subject", subject, "error", err)
			}
			return e, nil
		}
		if err := pause(ctx, backoff(attempt)); err != nil {
			return deployments.Entry{}, err
		}
	}
}

// History is every entry of a slot that can be read, oldest first.
func (j *Journal) History(ctx context.Context, s deployments.Slot) ([]deployments.Entry, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return j.list(ctx, j.reader(j.subject(s), jetstream.DeliverAllPolicy))
}

// All is the newest entry of every slot, in the order they were written.
func (j *Journal) All(ctx context.Context) ([]deployments.Entry, error) {
	return j.list(ctx, j.reader(j.names.Subject("journal.>"), jetstream.DeliverLastPerSubjectPolicy))
}

// list reads what is stored. Entries of a later format are an error, returned beside those that can be used.
func (j *Journal) list(ctx context.Context, r reader) ([]deployments.Entry, error) {
	var entries []deployments.Entry
	var bad []error
	err := j.each(ctx, r, func(m stored) error {
		e, err := decodeEntry(m.Subject, m.Sequence, m.Data)
		if err != nil {
			bad = append(bad, err)
			return nil
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, errors.Join(bad...)
}

// each calls f for every stored message that can be read, until it returns errEnough. Where only the newest of each
// subject are read, the newest readable ones are.
func (j *Journal) each(ctx context.Context, r reader, f func(stored) error) error {
	first, err := r.open(ctx)
	if err != nil {
		return err
	}
	newest := r.config.DeliverPolicy == jetstream.DeliverLastPerSubjectPolicy
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			m := stored{Sequence: meta.Sequence.Stream, Subject: msg.Subject(), Data: msg.Data()}
			if !m.unreadable() {
				return f(m)
			}
			j.log.Warn("entry cannot be read", "sequence", m.Sequence, "subject", m.Subject)
			if !newest {
				return nil
			}
			before, err := j.readable(ctx, m.Subject, m.Sequence)
			if err != nil || before.Sequence == 0 {
				return err
			}
			before.Sequence = m.Sequence // the order is kept
			return f(before)
		},
		caughtUp: func() error { return errEnough },
	})
	if !errors.Is(err, errEnough) {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

func (j *Journal) reader(filter string, from jetstream.DeliverPolicy) reader {
	return reader{j.js, j.names.Stream(JournalStream), jetstream.ConsumerConfig{FilterSubject: filter, DeliverPolicy: from}, j.log}
}
