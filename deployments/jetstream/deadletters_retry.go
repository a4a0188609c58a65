package jetstream

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Again is the release of a dead letter, ready to be published once more.
type Again struct {
	Release deployments.Release // as the intake will read it, with the id it had
	letter  Letter
	msg     *nats.Msg
}

// Again makes the message of a letter once more: its subject, headers, body and release id are those it had. It refuses
// what is no release, what the letter has only a part of, and what the intake would refuse for its form.
//
// The Nats-Msg-Id is another one, always the same for a letter: under the first one the stream would take the message for
// a duplicate within the hour, and drop it. Where that would make it another release, its id goes into a CloudEvents header.
func (d DeadLetters) Again(l Letter) (Again, error) {
	fail := func(format string, args ...any) (Again, error) {
		return Again{}, fmt.Errorf("dead letter %d: "+format, append([]any{l.Sequence}, args...)...)
	}
	if l.Stream != d.Names.Stream(ReleasesStream) {
		return fail("it is no release, but of the stream %s, where publishing it again would do harm or be heard by all", l.Stream)
	}
	if l.Cut {
		return fail("it has only the beginning of a body of %d bytes: publish a smaller event", l.Size)
	}
	slot, err := deployments.SlotOf(l.Subject)
	if err == nil && l.Subject != d.Names.Release(slot) {
		err = fmt.Errorf("%q is no subject of releases", l.Subject)
	}
	if err != nil {
		return fail("%w", err)
	}
	was := nats.Header{nats.MsgIdHdr: []string{l.ID}}
	m := &nats.Msg{Subject: l.Subject, Header: nats.Header{}, Data: l.Body}
	for name, values := range l.Header {
		was[name], m.Header[name] = values, values
	}
	m.Header[nats.MsgIdHdr] = []string{d.Names.Stream(DLQStream) + "/" + strconv.FormatUint(l.Sequence, 10) + "/retry"}
	rel, err := DecodeRelease(m.Subject, was, m.Data)
	if err != nil {
		return fail("it would be refused again: %w", err)
	}
	KeepID(m, rel)
	if same, err := DecodeRelease(m.Subject, m.Header, m.Data); err != nil || same.ID != rel.ID {
		return fail("its id %q cannot be kept: publish it with `serin release --id`", rel.ID)
	}
	return Again{rel, l, m}, nil
}

// Publish publishes a release again, and marks its letter. duplicate: that was done within the hour, so nothing was.
func (d DeadLetters) Publish(ctx context.Context, a Again) (duplicate bool, err error) {
	ack, err := d.JS.PublishMsg(ctx, a.msg, jetstream.WithExpectStream(d.Names.Stream(ReleasesStream)))
	if err != nil {
		return false, fmt.Errorf("publish dead letter %d again: %w", a.letter.Sequence, err)
	}
	if ack.Duplicate {
		return true, nil
	}
	mark := &nats.Msg{Subject: d.mark(a.letter.Sequence)}
	if _, err := d.JS.PublishMsg(ctx, mark, jetstream.WithExpectStream(d.Names.Stream(DLQStream))); err != nil {
		return false, fmt.Errorf("dead letter %d was published again, and is not marked: %w", a.letter.Sequence, err)
	}
	return false, nil
}

// Refusals calls heard with the reason, in words, should the release become a dead letter again, until stop is called.
func (d DeadLetters) Refusals(a Again, heard func(why string)) (stop func(), err error) {
	nc := d.JS.Conn()
	sub, err := nc.Subscribe(d.Names.Subject("refused", a.Release.Subject()), func(m *nats.Msg) {
		if id, err := url.PathUnescape(m.Header.Get(HeaderID)); err == nil && (id == a.Release.ID || id == a.msg.Header.Get(nats.MsgIdHdr)) {
			why, _ := url.PathUnescape(m.Header.Get(HeaderReason))
			heard(why)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("listen for refusals: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// Overtaken is the version of a release that the slot has taken in and that was published after the letter's. Published
// again the older one would count as the newest, and would be rolled out over it.
func (a Again) Overtaken(s deployments.State) (version string, newer bool) {
	if s.Release != nil && s.Release.Order.Seq > a.letter.Message {
		return s.Release.Version, true
	}
	for _, q := range s.Queue {
		if q.Release.Order.Seq > a.letter.Message {
			return q.Release.Version, true
		}
	}
	return "", false
}
