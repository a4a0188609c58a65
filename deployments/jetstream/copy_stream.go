package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// headerCarried marks a message that Copy wrote: the journal it comes from, and its sequence there.
const headerCarried = "Serin-Carried"

// headerKV marks a message that deletes a key.
const headerKV = "KV-Operation"

// carried says how the last message of each subject of a stream is carried over.
type carried struct {
	what, stream string
	cure         string                                                                       // of another one that is there; "": it is as good
	change       func(msg jetstream.Msg, seq uint64) (subject string, data []byte, err error) // nil: as it is
}

// carrier carries the last message of each subject from one server to another.
type carrier struct {
	from, to jetstream.JetStream
	source   string // tells the old server from any other
	log      *slog.Logger
}

// fate is what became of one message.
type fate int

const (
	written fate = iota // it is there now
	found               // it was there, or something newer that followed from it
	refused             // something else is there, and stays
)

// carry carries one stream. One that the old server does not have is empty.
func (c carrier) carry(ctx context.Context, what carried) (CopiedPart, []string, error) {
	part := CopiedPart{What: what.what}
	to, err := c.to.Stream(ctx, what.stream)
	if err != nil {
		return part, nil, err
	}
	r := reader{c.from, what.stream, jetstream.ConsumerConfig{FilterSubject: ">", DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}, c.log}
	first, err := r.open(ctx)
	if missing(err) {
		return part, nil, nil
	}
	if err != nil {
		return part, nil, err
	}
	var left []string
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			if msg.Headers().Get(headerKV) != "" {
				return nil
			}
			became, err := c.one(ctx, to, what, msg, meta.Sequence.Stream)
			switch {
			case err != nil:
				return err
			case became == written:
				part.Copied++
			case became == found, what.cure == "":
				part.Found++
			case became == refused:
				left = append(left, fmt.Sprintf("%s: another one is there: %s", key(what.stream, msg.Subject()), what.cure))
			}
			return nil
		},
		caughtUp: func() error { return errEnough },
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return part, left, err
}

// key is what a person calls the thing on a subject: the key in its bucket, or the last tokens.
func key(stream, subject string) string {
	if bucket, ok := strings.CutPrefix(stream, "KV_"); ok {
		return strings.TrimPrefix(subject, "$KV."+bucket+".")
	}
	tokens := strings.Split(subject, ".")
	return strings.Join(tokens[max(0, len(tokens)-2):], "/")
}

// one carries one message.
func (c carrier) one(ctx context.Context, to jetstream.Stream, what carried, msg jetstream.Msg, seq uint64) (fate, error) {
	subject, data := msg.Subject(), msg.Data()
	if what.change != nil {
		var err error
		if subject, data, err = what.change(msg, seq); err != nil {
			return refused, err
		}
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{headerCarried: {c.source + "/" + strconv.FormatUint(seq, 10)}}}
	for behind := uint64(0); ; {
		once, cancel := context.WithTimeout(ctx, publishWait)
		_, err := c.to.PublishMsg(once, m, jetstream.WithExpectStream(what.stream), jetstream.WithExpectLastSequencePerSubject(behind))
		cancel()
		if err == nil {
			return written, nil
		}
		if !conflict(err) {
			return refused, err
		}
		there, err := to.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return refused, err
		}
		if older := c.sequence(there.Header); older == 0 || older >= seq {
			return c.meet(ctx, to, there, data)
		}
		behind = there.Sequence // nobody has touched it since an earlier run; the old server has gone on
	}
}

// meet says what becomes of a message whose place is taken.
func (c carrier) meet(ctx context.Context, to jetstream.Stream, there *jetstream.RawStreamMsg, data []byte) (fate, error) {
	if c.sequence(there.Header) != 0 || bytes.Equal(there.Data, data) {
		return found, nil
	}
	// What is there may have followed from what an earlier run has brought.
	for seq := uint64(1); seq < there.Sequence; {
		before, err := to.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(there.Subject))
		if err != nil || before.Sequence >= there.Sequence {
			return refused, err
		}
		if c.sequence(before.Header) != 0 {
			return found, nil
		}
		seq = before.Sequence + 1
	}
	return refused, nil
}

// sequence is the old sequence of a message that was carried over from this source; else 0.
func (c carrier) sequence(h nats.Header) uint64 {
	text, ok := strings.CutPrefix(h.Get(headerCarried), c.source+"/")
	if !ok {
		return 0
	}
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return seq
}
