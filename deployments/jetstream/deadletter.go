package jetstream

import (
	"context"
	"errors"
	"fmt"
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
	HeaderID       = "Serin-Id"       // its Nats-Msg-Id, if it had one
)

const maxReasonText = 1024 // bytes

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
	letter := &nats.Msg{Subject: n.Subject("dlq", reason), Data: msg.Data(), Header: nats.Header{}}
	for k, v := range msg.Headers() {
		// The server acts on its own headers.
		if !strings.HasPrefix(strings.ToLower(k), "nats-") {
			letter.Header[k] = v
		}
	}
	text := cause.Error()
	letter.Header[HeaderReason] = []string{percentEncode(text[:min(len(text), maxReasonText)])}
	letter.Header[HeaderSubject] = []string{percentEncode(msg.Subject())}
	letter.Header[HeaderStream] = []string{meta.Stream}
	letter.Header[HeaderSequence] = []string{seq}
	if id := msg.Headers().Get(nats.MsgIdHdr); id != "" {
		letter.Header[HeaderID] = []string{percentEncode(id)}
	}
	id := meta.Stream + "/" + seq + "/" + meta.Consumer
	if _, err := js.PublishMsg(ctx, letter, jetstream.WithMsgID(id), jetstream.WithExpectStream(n.Stream(DLQStream))); err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	if err := msg.TermWithReason(reason); err != nil {
		return fmt.Errorf("terminate message %s: %w", seq, err)
	}
	return nil
}
