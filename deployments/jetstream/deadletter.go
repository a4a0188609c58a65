package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter, beside those the message had.
const (
	HeaderReason   = "Serin-Reason"   // what is wrong, in words, percent-encoded
	HeaderSubject  = "Serin-Subject"  // where the message was published
	HeaderStream   = "Serin-Stream"   // the stream it was taken from
	HeaderSequence = "Serin-Sequence" // its sequence there
	HeaderConsumer = "Serin-Consumer" // the durable consumer it was taken by
	HeaderID       = "Serin-Id"       // its Nats-Msg-Id, if it had one
	HeaderSize     = "Serin-Size"     // bytes of its body, where the dead letter has only the beginning
)

// Bounds of a dead letter, in bytes: whatever the message was, its letter can be published.
const (
	maxReasonText    = 1024
	maxLetterBody    = maxRelease
	maxLetterHeaders = 64 << 10
	maxLetterID      = 32 << 10
)

var reasonForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// missing reports that a stream or a consumer does not exist.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound)
}

// bury publishes a dead letter and only then takes the message from its consumer. Done twice it leaves one dead letter.
func bury(ctx context.Context, js jetstream.JetStream, n Names, msg jetstream.Msg, reason string, cause error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	if !reasonForm.MatchString(reason) {
		reason = "invalid"
	}
	seq := strconv.FormatUint(meta.Sequence.Stream, 10)
	letter := &nats.Msg{Subject: n.Subject("dlq", reason), Header: letterHeaders(msg.Headers())}
	letter.Data = msg.Data()[:min(len(msg.Data()), maxLetterBody)]
	if len(letter.Data) < len(msg.Data()) {
		letter.Header[HeaderSize] = []string{strconv.Itoa(len(msg.Data()))}
	}
	text := cause.Error()
	letter.Header[HeaderReason] = []string{percentEncode(text[:min(len(text), maxReasonText)])}
	letter.Header[HeaderSubject] = []string{percentEncode(msg.Subject())}
	letter.Header[HeaderStream] = []string{meta.Stream}
	letter.Header[HeaderSequence] = []string{seq}
	letter.Header[HeaderConsumer] = []string{meta.Consumer}
	if id := idOf(msg.Headers()); id != "" && len(id) <= maxLetterID {
		letter.Header[HeaderID] = []string{percentEncode(id)}
	}
	id := meta.Stream + "/" + seq + "/" + meta.Consumer
	if _, err := js.PublishMsg(ctx, letter, jetstream.WithMsgID(id), jetstream.WithExpectStream(n.Stream(DLQStream))); err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	notice(js.Conn(), n, letter)
	if err := msg.TermWithReason(reason); err != nil {
		return fmt.Errorf("terminate message %s: %w", seq, err)
	}
	return nil
}

// idOf is the id that a message's headers give it: a CloudEvent's own goes before that of the message.
func idOf(h nats.Header) string {
	if id, err := header(h, "ce-id"); err == nil && id != "" {
		return id
	}
	return h.Get(nats.MsgIdHdr)
}

// notice tells whoever waits for a release that it has become a dead letter. The letters' own subjects name no slot, so
// nobody can be let hear only their own. It is told once and stored nowhere.
func notice(nc *nats.Conn, n Names, letter *nats.Msg) {
	subject, err := url.PathUnescape(letter.Header.Get(HeaderSubject))
	rest, ok := n.relative(subject)
	slot, release := strings.CutPrefix(rest, "release.")
	if err != nil || !ok || !release || !nc.IsConnected() {
		return
	}
	m := &nats.Msg{Subject: n.Subject("refused", slot), Header: nats.Header{}}
	for _, name := range []string{HeaderID, HeaderReason} {
		m.Header[name] = letter.Header[name]
	}
	_ = nc.PublishMsg(m)
}

// letterHeaders are a message's own headers, as far as they fit: the server acts on those that are its own.
func letterHeaders(h nats.Header) nats.Header {
	out, size := nats.Header{}, 0
	for k, values := range h {
		for _, v := range values {
			size += len(k) + len(v)
		}
		if size > maxLetterHeaders {
			return nats.Header{}
		}
		if !strings.HasPrefix(strings.ToLower(k), "nats-") {
			out[k] = values
		}
	}
	return out
}
