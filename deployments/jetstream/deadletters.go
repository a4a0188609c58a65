package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// retriedToken begins the last two tokens of a mark that a letter was published again: retried.<sequence of the letter>.
const retriedToken = "retried"

// sizeHeader is what the server says of a body that it leaves out.
const sizeHeader = "Nats-Msg-Size"

// DeadLetters reads what could not be used. Letters name no slot on their subjects, so nobody can be given only their own:
// its user is an operator without a scope, or one of Serin's account without restrictions.
type DeadLetters struct {
	JS    jetstream.JetStream
	Names Names
}

// Letter is one dead letter.
type Letter struct {
	Sequence uint64      `json:"sequence"` // of the letter
	At       time.Time   `json:"at"`
	Reason   string      `json:"reason"` // one word
	Why      string      `json:"why"`    // in words
	Subject  string      `json:"subject"`
	Stream   string      `json:"stream"`             // the message was taken from
	Message  uint64      `json:"message"`            // its sequence there
	ID       string      `json:"id,omitempty"`       // its Nats-Msg-Id
	Consumer string      `json:"consumer,omitempty"` // that took it: tell-<name> of a notifier's
	Size     int         `json:"size"`               // of its body, in bytes
	Cut      bool        `json:"cut,omitempty"`      // the letter has only the beginning of the body
	Header   nats.Header `json:"header,omitempty"`   // the message's own, as they were sent
	Body     []byte      `json:"body,omitempty"`     // not in a list
	Retried  time.Time   `json:"retried,omitzero"`   // when it was last published again
}

// Receiver is whom an undelivered event was for; "" of every other letter.
func (l Letter) Receiver() string {
	if l.Reason != Stranded {
		return ""
	}
	name, _ := strings.CutPrefix(l.Consumer, tellPrefix)
	return name
}

// List is the letters since an instant, oldest first, without their bodies; those of one reason where it is not "".
func (d DeadLetters) List(ctx context.Context, since time.Time, reason string) ([]Letter, error) {
	letters, retried := []Letter{}, map[string]time.Time{}
	each := func(seq uint64, at time.Time, subject string, h nats.Header, size int) {
		if of, ok := strings.CutPrefix(subject, d.marks()); ok {
			retried[of] = at.UTC()
			return
		}
		l := d.letter(seq, at, subject, h, nil)
		l.Size = max(l.Size, size)
		letters = append(letters, l)
	}
	list := d.own
	if s, err := d.foreign(ctx); err == nil {
		list = func(ctx context.Context, since time.Time, reason string, each eachLetter) error {
			return d.imported(ctx, s, since, reason, each)
		}
	}
	if err := list(ctx, since, reason, each); err != nil {
		return nil, err
	}
	for i, l := range letters {
		letters[i].Retried = retried[strconv.FormatUint(l.Sequence, 10)]
	}
	return letters, nil
}

// Get is one letter.
func (d DeadLetters) Get(ctx context.Context, seq uint64) (Letter, error) {
	limited, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	s, err := d.foreign(limited)
	if err != nil {
		s, err = d.JS.Stream(limited, d.Names.Stream(DLQStream))
	}
	if err != nil {
		return Letter{}, d.denied(err)
	}
	m, err := s.GetMsg(limited, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && d.isMark(m.Subject) {
		return Letter{}, fmt.Errorf("there is no dead letter %d: `serin dlq list` has their numbers", seq)
	}
	if err != nil {
		return Letter{}, fmt.Errorf("read dead letter %d: %w", seq, err)
	}
	l := d.letter(m.Sequence, m.Time, m.Subject, m.Header, m.Data)
	mark, err := s.GetLastMsgForSubject(limited, d.mark(seq))
	switch {
	case err == nil:
		l.Retried = mark.Time.UTC()
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return Letter{}, fmt.Errorf("read dead letter %d: %w", seq, err)
	}
	return l, nil
}

// mark is the subject on which it is noted that a letter was published again.
func (d DeadLetters) mark(seq uint64) string {
	return d.Names.Subject("dlq", retriedToken, strconv.FormatUint(seq, 10))
}

// marks begins the subject of every mark.
func (d DeadLetters) marks() string { return d.Names.Subject("dlq", retriedToken) + "." }

func (d DeadLetters) isMark(subject string) bool { return strings.HasPrefix(subject, d.marks()) }

// denied says what cures a request that the server leaves unanswered.
func (d DeadLetters) denied(err error) error {
	if gaveUp(err) {
		err = fmt.Errorf("%w: dead letters are read by an operator of all services, or by the user setup", err)
	}
	return fmt.Errorf("read dead letters: %w", err)
}

// letter reads what [bury] wrote.
func (d DeadLetters) letter(seq uint64, at time.Time, subject string, h nats.Header, body []byte) Letter {
	text := func(name string) string {
		raw := h.Get(name)
		if decoded, err := url.PathUnescape(raw); err == nil {
			return decoded
		}
		return raw
	}
	reason, _ := strings.CutPrefix(subject, d.Names.Subject("dlq", ""))
	l := Letter{Sequence: seq, At: at.UTC(), Reason: reason, Why: text(HeaderReason), Subject: text(HeaderSubject), Stream: h.Get(HeaderStream),
		ID: text(HeaderID), Consumer: h.Get(HeaderConsumer), Header: nats.Header{}, Body: body}
	l.Message, _ = strconv.ParseUint(h.Get(HeaderSequence), 10, 64)
	for name, values := range h {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") && !ofLetter(name) {
			l.Header[name] = values
		}
	}
	l.Size = len(body)
	if size, err := strconv.Atoi(h.Get(sizeHeader)); err == nil { // of a list
		l.Size = size
	}
	if size, err := strconv.Atoi(h.Get(HeaderSize)); err == nil {
		l.Size, l.Cut = size, true
	}
	return l
}

// ofLetter reports whether a header is one that a dead letter adds.
func ofLetter(name string) bool {
	switch name {
	case HeaderReason, HeaderSubject, HeaderStream, HeaderSequence, HeaderConsumer, HeaderID, HeaderSize:
		return true
	}
	return false
}
