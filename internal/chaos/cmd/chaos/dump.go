//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/internal/chaos"
)

// settle waits until everybody has heard what was decided: longer than the minute after which an event that a dead
// worker had is told by another.
func (w *world) settle(ctx context.Context) {
	limit := 100 * time.Second
	if w.expect != "" {
		limit = 10 * time.Second // what is broken may never come to rest
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, c := range [][2]string{{chaos.JournalStream, "dispatch"}, {chaos.EventsStream, "tell-slack"}, {chaos.EventsStream, "rollbacks"}} {
		for !w.idle(ctx, c[0], c[1]) && pause(ctx, 100*time.Millisecond) {
		}
	}
}

func (w *world) idle(ctx context.Context, stream, durable string) bool {
	c, err := w.js.Consumer(ctx, stream, durable)
	if err != nil {
		return false
	}
	info := c.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending == 0
}

// dump writes the raw streams into files.
func (w *world) dump(ctx context.Context) error {
	for _, name := range []string{chaos.JournalStream, chaos.EventsStream, chaos.FlagsStream, chaos.DLQStream} {
		if err := w.dumpStream(ctx, name); err != nil {
			return fmt.Errorf("dump %s: %w", name, err)
		}
	}
	return nil
}

func (w *world) dumpStream(ctx context.Context, name string) error {
	lines, err := chaos.Append(filepath.Join(w.dir, chaos.StreamFile(name)))
	if err != nil {
		return err
	}
	defer lines.Close()
	s, err := w.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	for seq := state.FirstSeq; state.Msgs > 0 && seq <= state.LastSeq; {
		next, err := w.dumpSome(ctx, name, seq, state.LastSeq, lines)
		if err != nil {
			return err
		}
		seq = next
	}
	return nil
}

// dumpSome reads from a sequence to the last one and returns the one after what it has written.
func (w *world) dumpSome(ctx context.Context, name string, from, last uint64, lines *chaos.Lines) (next uint64, err error) {
	cons, err := w.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from})
	if err != nil {
		return from, err
	}
	it, err := cons.Messages()
	if err != nil {
		return from, err
	}
	defer it.Stop()
	for next = from; next <= last; {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return next, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return next, err
		}
		m := chaos.Message{Sequence: meta.Sequence.Stream, Subject: msg.Subject(), At: meta.Timestamp, Header: chaos.Header(msg.Headers()), Data: msg.Data()}
		if !json.Valid(msg.Data()) {
			m.Data, _ = json.Marshal(string(msg.Data()))
		}
		if err := lines.Write(m); err != nil {
			return next, err
		}
		next = m.Sequence + 1
	}
	return next, nil
}
