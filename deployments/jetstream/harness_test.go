package jetstream

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var checkout = deployments.Slot{Environment: "production", Service: "checkout"}

// testLog says what goes wrong where -v asks for it.
func testLog(t *testing.T) *slog.Logger {
	if !testing.Verbose() {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func embed(t *testing.T, dir, listen string) *Server {
	t.Helper()
	s, err := Embed(t.Context(), ServerOptions{Dir: dir, Listen: listen, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lab is a server with everything set up, and a connection to it.
type lab struct {
	*Server
	nc *nats.Conn
	js jetstream.JetStream
}

func newLab(t *testing.T) lab {
	t.Helper()
	return labWith(t, Layout{Partitions: journaltest.Partitions, AckWait: time.Second})
}

func labWith(t *testing.T, l Layout) lab {
	t.Helper()
	s := embed(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	nc, js := connect(t, s)
	if err := Setup(t.Context(), js, l); err != nil {
		t.Fatal(err)
	}
	return lab{s, nc, js}
}

// connect connects over TCP, as other processes do.
func connect(t *testing.T, s *Server) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := Connect(t.Context(), s.URL(), ClientOptions{Token: s.Token(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndWait(nc) })
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// closeAndWait waits for the connection's goroutines, as goleak wants it.
func closeAndWait(nc *nats.Conn) {
	if nc.IsClosed() {
		return
	}
	closed := nc.StatusChanged(nats.CLOSED)
	nc.Close()
	select {
	case <-closed:
	case <-time.After(patience):
	}
}

// background runs f until the test ends, and waits for it.
func background(t *testing.T, f func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("ended by itself: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// receive is the next of a channel.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
	}
	panic("not reached")
}

// letter is the next dead letter.
func letter(t *testing.T, l lab) jetstream.Msg {
	t.Helper()
	cons, err := l.js.CreateOrUpdateConsumer(t.Context(), "SERIN_DLQ", jetstream.ConsumerConfig{Durable: "test", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := cons.Next(jetstream.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	return msg
}

func openJournal(t *testing.T, js jetstream.JetStream) *Journal {
	t.Helper()
	j, err := OpenJournal(t.Context(), js, Names{}, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return j
}
