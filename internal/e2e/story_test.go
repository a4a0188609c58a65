//go:build e2e && unix

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// stream reads a stream of Serin's from its beginning, message by message, with nothing but a sequence to remember.
type stream struct {
	js   natsjs.JetStream
	name string
	next uint64
	all  []*natsjs.RawStreamMsg
}

// read fetches what is new.
func (s *stream) read(t *testing.T) []*natsjs.RawStreamMsg {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	from, err := s.js.Stream(ctx, s.name)
	if err != nil {
		t.Fatalf("read %s: %v", s.name, err)
	}
	for {
		m, err := from.GetMsg(ctx, s.next+1)
		if errors.Is(err, natsjs.ErrMsgNotFound) {
			return s.all
		}
		if err != nil {
			t.Fatalf("read %s: %v", s.name, err)
		}
		s.all = append(s.all, m)
		s.next++
	}
}

// event is a public event as it is stored.
type event struct {
	deployments.Event
	sequence uint64
}

// story is what Serin has told the world.
type story struct {
	events, letters, journal stream
}

func newStory(js natsjs.JetStream) *story {
	of := func(name string) stream { return stream{js: js, name: jetstream.Names{}.Stream(name)} }
	return &story{events: of(jetstream.EventsStream), letters: of(jetstream.DLQStream), journal: of(jetstream.JournalStream)}
}

// told are all events so far.
func (s *story) told(t *testing.T) []event {
	t.Helper()
	var out []event
	for _, m := range s.events.read(t) {
		e, err := jetstream.DecodeEvent(jetstream.Names{}, m.Subject, m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, event{e, m.Sequence})
	}
	return out
}

// named are the events of a version with a name. No version means all.
func (s *story) named(t *testing.T, version, name string) []event {
	t.Helper()
	var out []event
	for _, e := range s.told(t) {
		if e.Name == name && (version == "" || e.Data.Version == version) {
			out = append(out, e)
		}
	}
	return out
}

// one is the only event of a version with a name.
func (s *story) one(t *testing.T, version, name string) event {
	t.Helper()
	found := s.named(t, version, name)
	if len(found) != 1 {
		t.Fatalf("%d events %s of %s, want one; told was:\n%s", len(found), name, version, s.text(t))
	}
	return found[0]
}

// await waits for an event of a version; at is the share it speaks of, negative for any.
func (s *story) await(t *testing.T, within time.Duration, version, name string, at float64) event {
	t.Helper()
	var found event
	eventually(t, within, func() error {
		for _, e := range s.named(t, version, name) {
			if at < 0 || e.Data.Percent == at {
				found = e
				return nil
			}
		}
		return fmt.Errorf("no %s of %s at %v; told was:\n%s", name, version, at, s.text(t))
	})
	return found
}

// shares are those that were confirmed for a version, in their order.
func (s *story) shares(t *testing.T, version string) []float64 {
	t.Helper()
	var out []float64
	for _, e := range s.named(t, version, "traffic.confirmed") {
		out = append(out, e.Data.Confirmed)
	}
	return out
}

func (s *story) text(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, e := range s.told(t) {
		fmt.Fprintf(&b, "%s %s %s at %v: %s\n", e.Time.Format("05.000"), e.Data.Version, e.Name, e.Data.Percent, e.Data.Reason)
	}
	return b.String()
}

// letter is a dead letter.
type letter struct {
	reason, subject, why string
	body                 []byte
}

func (s *story) dead(t *testing.T) []letter {
	t.Helper()
	var out []letter
	for _, m := range s.letters.read(t) {
		why, err := url.PathUnescape(m.Header.Get(jetstream.HeaderReason))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, letter{strings.TrimPrefix(m.Subject, "serin.dlq."), m.Header.Get(jetstream.HeaderSubject), why, m.Data})
	}
	return out
}
