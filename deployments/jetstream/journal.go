package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

const (
	publishWait = 2 * time.Second // for the answer to one publish
	resolveWait = 5 * time.Second // for finding out whether a write without an answer landed
)

// Journal is a deployments.Journal in a stream, one subject a slot.
type Journal struct {
	js         jetstream.JetStream
	stream     jetstream.Stream
	names      Names
	partitions int
	log        *slog.Logger
}

var _ deployments.Journal = (*Journal)(nil)

// OpenJournal finds the journal that Setup has made. log (nil: silent) hears of entries that cannot be read.
func OpenJournal(ctx context.Context, js jetstream.JetStream, n Names, log *slog.Logger) (*Journal, error) {
	p, err := Partitions(ctx, js, n)
	if err != nil {
		return nil, err
	}
	s, err := js.Stream(ctx, n.Stream(JournalStream))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{js, s, n, p, orDiscard(log)}, nil
}

// Partitions is how many there are.
func (j *Journal) Partitions() int { return j.partitions }

func (j *Journal) subject(s deployments.Slot) string {
	return j.names.Entry(s.Partition(j.partitions), s)
}

// Last is the slot's newest entry, the zero Entry when there is none. ErrNewer: it is of a later format. Sequence is where
// the slot's subject ends: an entry that cannot be read may stand there.
func (j *Journal) Last(ctx context.Context, s deployments.Slot) (deployments.Entry, error) {
	if err := s.Validate(); err != nil {
		return deployments.Entry{}, err
	}
	m, end, err := j.newest(ctx, s)
	if err != nil {
		return deployments.Entry{}, err
	}
	return lifted(m, end)
}

// Get is the entry with a stream sequence, or the newest before it where that one cannot be read; the zero Entry when it
// is purged.
func (j *Journal) Get(ctx context.Context, seq uint64) (deployments.Entry, error) {
	msg, err := j.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return deployments.Entry{}, nil
	}
	if err != nil {
		return deployments.Entry{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	m := storedRaw(msg)
	if m.unreadable() {
		before, err := j.readable(ctx, m.Subject, seq)
		if err != nil || before.Sequence == 0 {
			return deployments.Entry{Sequence: seq}, err
		}
		m = before
	}
	return decodeEntry(m.Subject, m.Sequence, m.Data)
}

// Append writes e behind the entry e.After of its slot and returns its sequence. ErrConflict: the slot has moved on.
// When the answer is lost it looks for e.Op behind e.After; an error of the connection then means that e was not there
// when it looked, and appending the same e again is safe.
func (j *Journal) Append(ctx context.Context, e deployments.Entry) (uint64, error) {
	if err := e.Slot.Validate(); err != nil {
		return 0, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", e.Slot, err)
	}
	once, cancel := context.WithTimeout(ctx, publishWait)
	ack, err := j.js.PublishMsg(once, &nats.Msg{Subject: j.subject(e.Slot), Data: data},
		jetstream.WithExpectStream(j.names.Stream(JournalStream)), jetstream.WithExpectLastSequencePerSubject(e.After))
	cancel()
	switch {
	case err == nil:
		return ack.Sequence, nil
	case refusedForGood(err):
		return 0, fmt.Errorf("append to %s: %w", e.Slot, err)
	}
	return j.resolve(ctx, e, err)
}

// refusedForGood reports whether the server, or the client before sending, has said that the write is not made for
// another reason than the sequence.
func refusedForGood(err error) bool {
	if errors.Is(err, nats.ErrMaxPayload) {
		return true
	}
	api, ok := errors.AsType[jetstream.JetStreamError](err)
	return ok && api.APIError() != nil && !conflict(err)
}

// conflict reports whether the subject's last sequence was another one. Replicated streams have a code of their own.
func conflict(err error) bool {
	api, ok := errors.AsType[jetstream.JetStreamError](err)
	if !ok || api.APIError() == nil {
		return false
	}
	code := api.APIError().ErrorCode
	return code == jetstream.JSErrCodeStreamWrongLastSequence || code == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// resolve finds out what became of a write: cause is a conflict, or the loss of the answer.
func (j *Journal) resolve(ctx context.Context, e deployments.Entry, cause error) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveWait)
	defer cancel()
	for attempt := 0; ; attempt++ {
		next, err := j.after(ctx, e)
		switch {
		case err == nil && next.Sequence != 0 && next.Op == e.Op:
			return next.Sequence, nil
		case err == nil && (next.Sequence != 0 || conflict(cause)):
			return 0, fmt.Errorf("append to %s after %d: %w", e.Slot, e.After, deployments.ErrConflict)
		case err == nil:
			return 0, fmt.Errorf("append to %s: %w", e.Slot, cause)
		case conflict(cause):
			// Not ours as far as can be told; whoever loads again will see.
			return 0, fmt.Errorf("append to %s after %d: %w", e.Slot, e.After, deployments.ErrConflict)
		}
		if pause(ctx, backoff(attempt)) != nil {
			return 0, fmt.Errorf("append to %s, and it is not known whether it landed: %w", e.Slot, errors.Join(cause, err))
		}
	}
}

// after is the entry that follows e.After in e's slot: with the compare-and-set there is at most one that can. Only its
// Sequence and Op are sure to be set.
func (j *Journal) after(ctx context.Context, e deployments.Entry) (deployments.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	msg, err := j.stream.GetMsg(ctx, e.After+1, jetstream.WithGetMsgSubject(j.subject(e.Slot)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return deployments.Entry{}, nil
	}
	if err != nil {
		return deployments.Entry{}, err
	}
	next := deployments.Entry{Sequence: msg.Sequence}
	var op struct{ Op string }
	if json.Unmarshal(msg.Data, &op) == nil {
		next.Op = op.Op
	}
	return next, nil
}
