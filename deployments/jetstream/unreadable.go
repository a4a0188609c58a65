package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// What cannot be read on a slot's subject is no entry: somebody published there by mistake, or to do harm. The slot goes
// on from the newest entry before it, and the next entry is written behind it. Dispatch makes a dead letter of it. An
// entry of a later format is readable: it stops whoever does not know the format.

// unreadable reports whether decodeEntry has found no entry at all.
func unreadable(err error) bool { return err != nil && !errors.Is(err, deployments.ErrNewer) }

func (m stored) unreadable() bool {
	_, err := decodeEntry(m.Subject, m.Sequence, m.Data)
	return unreadable(err)
}

func storedRaw(m *jetstream.RawStreamMsg) stored {
	return stored{Sequence: m.Sequence, Subject: m.Subject, Data: m.Data}
}

// newest is the slot's newest readable message, and the sequence its subject ends with; zero where there is none.
func (j *Journal) newest(ctx context.Context, s deployments.Slot) (m stored, end uint64, err error) {
	msg, err := j.stream.GetLastMsgForSubject(ctx, j.subject(s))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return stored{}, 0, nil
	}
	if err != nil {
		return stored{}, 0, fmt.Errorf("read last entry of %s: %w", s, err)
	}
	m = storedRaw(msg)
	if m.unreadable() {
		m, err = j.readable(ctx, m.Subject, msg.Sequence)
	}
	return m, msg.Sequence, err
}

// readable is the newest readable message of a subject before a sequence; zero where there is none.
func (j *Journal) readable(ctx context.Context, subject string, before uint64) (stored, error) {
	for before > 1 {
		m, err := j.upTo(ctx, subject, before-1)
		if err != nil || m.Sequence == 0 || !m.unreadable() {
			return m, err
		}
		before = m.Sequence
	}
	return stored{}, nil
}

// upTo is the newest message of a subject up to a sequence; zero where there is none. nats.go has no call for it.
func (j *Journal) upTo(ctx context.Context, subject string, seq uint64) (stored, error) {
	body, err := json.Marshal(map[string]any{"multi_last": []string{subject}, "up_to_seq": seq, "batch": 1})
	if err != nil {
		return stored{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	msg, err := j.js.Conn().RequestWithContext(ctx, "$JS.API.DIRECT.GET."+j.names.Stream(JournalStream), body)
	if err != nil {
		return stored{}, fmt.Errorf("read %s up to %d: %w", subject, seq, err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
	case "404":
		return stored{}, nil
	default:
		return stored{}, fmt.Errorf("read %s up to %d: status %s %s", subject, seq, status, msg.Header.Get("Description"))
	}
	found, err := strconv.ParseUint(msg.Header.Get(nats.JSSequence), 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("read %s up to %d: the answer has no sequence: %w", subject, seq, err)
	}
	return stored{Sequence: found, Subject: subject, Data: msg.Data}, nil
}

// lifted is an entry as the last of a subject that ends with a sequence: the next one is written behind that.
func lifted(m stored, end uint64) (deployments.Entry, error) {
	if m.Sequence == 0 {
		return deployments.Entry{Sequence: end}, nil
	}
	e, err := decodeEntry(m.Subject, m.Sequence, m.Data)
	e.Sequence = end
	return e, err
}
