package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

func TestJournalIsAJournal(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) deployments.Journal { return openJournal(t, newLab(t).js) })
}

// cutDialer makes connections that break when an answer comes after cut was set: the server has done its work by then.
type cutDialer struct{ cut atomic.Bool }

type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

func (d *cutDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &cutConn{c, &d.cut}, err
}

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.cut.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}

// cutJournal is a journal whose connection can be cut.
func cutJournal(t *testing.T, l lab) (*Journal, *cutDialer) {
	t.Helper()
	d := &cutDialer{}
	nc, err := Connect(t.Context(), l.URL(), ClientOptions{Token: l.Token(), Extra: []nats.Option{nats.SetCustomDialer(d)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndWait(nc) })
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return openJournal(t, js), d
}

func TestAWriteWhoseAnswerIsLostIsFoundByItsOp(t *testing.T) {
	l := newLab(t)
	j, dialer := cutJournal(t, l)
	first, err := j.Append(t.Context(), journaltest.Entry(checkout, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	e := journaltest.Entry(checkout, 2, first)
	dialer.cut.Store(true)
	if e.Sequence, err = j.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	history, err := j.History(t.Context(), checkout)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 2 {
		t.Fatalf("%d entries, want 2", len(history))
	}
	if diff := cmp.Diff(e, history[1]); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestALostConflictIsAConflict(t *testing.T) {
	l := newLab(t)
	j, dialer := cutJournal(t, l)
	if _, err := openJournal(t, l.js).Append(t.Context(), journaltest.Entry(checkout, 1, 0)); err != nil {
		t.Fatal(err)
	}
	other := journaltest.Entry(checkout, 1, 0)
	other.Op = "the other writer's"
	dialer.cut.Store(true)
	if _, err := j.Append(t.Context(), other); !errors.Is(err, deployments.ErrConflict) {
		t.Errorf("append: %v, want ErrConflict", err)
	}
}

func TestTheSameAppendAgainIsTheSameEntry(t *testing.T) {
	j := openJournal(t, newLab(t).js)
	e := journaltest.Entry(checkout, 1, 0)
	first, err := j.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), journaltest.Entry(checkout, 2, first)); err != nil {
		t.Fatal(err)
	}
	again, err := j.Append(t.Context(), e)
	if err != nil || again != first {
		t.Errorf("again: %d, %v, want %d", again, err, first)
	}
}

func TestAppendWithoutAServerIsAnErrorAndNoConflict(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	listen, token := strings.TrimPrefix(s.URL(), "nats://"), s.Token()
	_, js := connect(t, s)
	if err := Setup(t.Context(), js, Layout{Partitions: journaltest.Partitions}); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, js)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	e := journaltest.Entry(checkout, 1, 0)
	if _, err := j.Append(ctx, e); err == nil || errors.Is(err, deployments.ErrConflict) {
		t.Errorf("append: %v, want an error of the connection", err)
	}
	s, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: listen, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	// The connection comes back by itself, within Append's own patience.
	if _, err := j.Append(t.Context(), e); err != nil {
		if _, err = j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if history, err := j.History(t.Context(), checkout); err != nil || len(history) != 1 {
		t.Errorf("%d entries, %v, want 1", len(history), err)
	}
}

func TestWatchGoesOnAfterTheServerHasRestarted(t *testing.T) {
	dir := t.TempDir()
	s := embed(t, dir, "127.0.0.1:0")
	listen, token := strings.TrimPrefix(s.URL(), "nats://"), s.Token()
	_, js := connect(t, s)
	if err := Setup(t.Context(), js, Layout{Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	entries, err := openJournal(t, js).Watch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	for rev := uint64(1); rev <= 6; rev++ {
		if rev%2 == 1 {
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if s, err = Embed(t.Context(), ServerOptions{Dir: dir, Listen: listen, Token: token}); err != nil {
				t.Fatal(err)
			}
		}
		_, other := connect(t, s) // does not wait for the watcher's connection
		if seq, err = openJournal(t, other).Append(t.Context(), journaltest.Entry(checkout, rev, seq)); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = s.Shutdown() }()
	for want := uint64(0); want < 6; {
		e := receive(t, entries)
		if e.Sequence == 0 || e.Rev == want {
			continue
		}
		if want++; e.Rev != want {
			t.Fatalf("revision %d was delivered, want %d", e.Rev, want)
		}
	}
}

func TestEntriesOfALaterFormatAreNewer(t *testing.T) {
	l := newLab(t)
	j := openJournal(t, l.js)
	e := journaltest.Entry(checkout, 1, 0)
	e.V = deployments.EntryVersion + 1
	seq, err := j.Append(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Last(t.Context(), checkout); !errors.Is(err, deployments.ErrNewer) {
		t.Errorf("last: %v, want ErrNewer", err)
	}
	entries, err := j.Watch(t.Context(), checkout.Partition(journaltest.Partitions))
	if err != nil {
		t.Fatal(err)
	}
	want := deployments.Entry{V: e.V, Slot: checkout, Sequence: seq}
	if diff := cmp.Diff(want, receive(t, entries)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestEntriesThatCannotBeReadAreNamed(t *testing.T) {
	good, err := json.Marshal(journaltest.Entry(deployments.Slot{Environment: "production", Service: "other"}, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"garbage": "\x00", "no format": "{}", "another slot's": string(good), "wrong types": `{"v":1,"state":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := decodeEntry("serin.journal.1.production.checkout", 7, []byte(data))
			if err == nil || !strings.Contains(err.Error(), "entry 7") {
				t.Errorf("got %v, want an error naming entry 7", err)
			}
			if diff := cmp.Diff(deployments.Entry{Slot: checkout, Sequence: 7}, e); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestAllIsTheNewestEntryOfEverySlot(t *testing.T) {
	j := openJournal(t, newLab(t).js)
	if all, err := j.All(t.Context()); err != nil || len(all) != 0 {
		t.Fatalf("of an empty journal: %d, %v", len(all), err)
	}
	var want []deployments.Entry
	for p := range journaltest.Partitions {
		for _, slot := range journaltest.Slots(p, 2) {
			seq, err := j.Append(t.Context(), journaltest.Entry(slot, 1, 0))
			if err != nil {
				t.Fatal(err)
			}
			e := journaltest.Entry(slot, 2, seq)
			if e.Sequence, err = j.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			want = append(want, e)
		}
	}
	got, err := j.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	one, err := j.Get(t.Context(), want[0].Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[0], one); diff != "" {
		t.Errorf("get: want -, got +:\n%s", diff)
	}
}

func BenchmarkAppendToDisk(b *testing.B) {
	s, err := Embed(b.Context(), ServerOptions{Dir: b.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Shutdown()
	nc, err := s.Connect(b.Context(), ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := Setup(b.Context(), js, Layout{}); err != nil {
		b.Fatal(err)
	}
	j, err := OpenJournal(b.Context(), js, Names{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	seq, rev := uint64(0), uint64(0)
	for b.Loop() {
		rev++
		if seq, err = j.Append(b.Context(), journaltest.Entry(checkout, rev, seq)); err != nil {
			b.Fatal(err)
		}
	}
}
