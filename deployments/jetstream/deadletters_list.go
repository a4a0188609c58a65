package jetstream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// eachLetter takes a message of the stream of dead letters. size is that of its body, where it was read.
type eachLetter func(seq uint64, at time.Time, subject string, h nats.Header, size int)

// foreign is the stream of dead letters for a user of another account than Serin's. Where nobody exports it, or the user
// is one of Serin's account, the error comes at once.
func (d DeadLetters) foreign(ctx context.Context) (jetstream.Stream, error) {
	js, err := jetstream.NewWithAPIPrefix(d.JS.Conn(), d.Names.API())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	return js.Stream(ctx, d.Names.Stream(DLQStream))
}

// own reads the stream through a consumer, without bodies.
func (d DeadLetters) own(ctx context.Context, since time.Time, reason string, each eachLetter) error {
	c := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true}
	if reason != "" {
		c.FilterSubjects = []string{d.Names.Subject("dlq", reason), d.marks() + "*"}
	}
	r := reader{d.JS, d.Names.Stream(DLQStream), c, orDiscard(nil)}
	limited, cancel := context.WithTimeout(ctx, localWait)
	first, err := r.open(limited)
	cancel()
	if err != nil {
		return d.denied(err)
	}
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			each(meta.Sequence.Stream, meta.Timestamp, msg.Subject(), msg.Headers(), 0)
			return nil
		},
		caughtUp: func() error { return errEnough },
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// imported reads the stream message by message: a consumer's answers do not come through an import.
func (d DeadLetters) imported(ctx context.Context, s jetstream.Stream, since time.Time, reason string, each eachLetter) error {
	want := d.Names.Subject("dlq", ">")
	for seq := s.CachedInfo().State.FirstSeq; ; seq++ {
		m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(want))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return nil
		case err != nil:
			return d.denied(err)
		}
		seq = m.Sequence
		if !m.Time.Before(since) && (reason == "" || m.Subject == d.Names.Subject("dlq", reason) || d.isMark(m.Subject)) {
			each(m.Sequence, m.Time, m.Subject, m.Header, len(m.Data))
		}
	}
}
