package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Watch delivers the newest entry of each slot of a partition, then a zero Entry, then every later entry; after a fault
// an entry may come twice. An entry of a later format, or one that cannot be read (V is 0), comes with Slot, V and
// Sequence only. The channel is closed when ctx ends.
func (j *Journal) Watch(ctx context.Context, partition int) (<-chan deployments.Entry, error) {
	r := j.reader(j.names.Subject("journal", strconv.Itoa(partition), ">"), jetstream.DeliverLastPerSubjectPolicy)
	first, err := r.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch partition %d: %w", partition, err)
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
				return send(e)
			},
			caughtUp: func() error { return send(deployments.Entry{}) },
		})
	}()
	return entries, nil
}

// History is every entry of a slot, oldest first.
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

// list reads what is stored. Entries that cannot be used are an error, returned beside those that can.
func (j *Journal) list(ctx context.Context, r reader) ([]deployments.Entry, error) {
	var entries []deployments.Entry
	var bad []error
	first, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			e, err := decodeEntry(msg.Subject(), meta.Sequence.Stream, msg.Data())
			if err != nil {
				bad = append(bad, err)
				return nil
			}
			entries = append(entries, e)
			return nil
		},
		caughtUp: func() error { return errEnough },
	})
	if !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return entries, errors.Join(bad...)
}

func (j *Journal) reader(filter string, from jetstream.DeliverPolicy) reader {
	return reader{j.js, j.names.Stream(JournalStream), jetstream.ConsumerConfig{FilterSubject: filter, DeliverPolicy: from}, j.log}
}
