package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/internal/chaos"
)

// keys are those that a receiver has had: a known one has no second effect.
type keys struct {
	mu    sync.Mutex
	known map[string]bool
	log   *chaos.Lines
}

func newKeys(log *chaos.Lines) *keys { return &keys{known: map[string]bool{}, log: log} }

// take writes a call down and then performs it, unless its key is known.
func (k *keys) take(c chaos.Call, effect func()) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	c.At, c.Visible = time.Now(), !k.known[c.Key]
	if err := k.log.Write(c); err != nil {
		return err
	}
	if c.Visible {
		k.known[c.Key] = true
		effect()
	}
	return nil
}

// webhook receives what Slack would.
func webhook(h helper, orders <-chan string) error {
	known := newKeys(h.log)
	return until(orders, func() error {
		return http.Serve(h.listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := known.take(chaos.Call{Key: r.Header.Get("Idempotency-Key")}, func() {}); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = fmt.Fprint(w, "ok")
		}))
	})
}

// flagstore keeps shares for the exec movers.
func flagstore(h helper, orders <-chan string) error {
	known := newKeys(h.log)
	shares := map[string]int{}
	return until(orders, func() error {
		for {
			conn, err := h.listener.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer conn.Close()
				_ = serveShare(conn, known, shares)
			}()
		}
	})
}

// serveShare answers one line: set KEY SERVICE SHARE, or read SERVICE.
func serveShare(conn net.Conn, known *keys, shares map[string]int) error {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	switch words := strings.Fields(line); {
	case len(words) == 4 && words[0] == "set":
		share, bad := strconv.Atoi(words[3])
		if bad == nil {
			bad = known.take(chaos.Call{Key: words[1], Target: words[2], Share: share}, func() { shares[words[2]] = share })
		}
		if bad != nil {
			_, err = fmt.Fprintln(conn, "error", bad)
			return err
		}
		_, err = fmt.Fprintln(conn, "ok")
	case len(words) == 2 && words[0] == "read":
		known.mu.Lock()
		share := shares[words[1]]
		known.mu.Unlock()
		_, err = fmt.Fprintln(conn, float64(share)/100)
	default:
		_, err = fmt.Fprintln(conn, "error unknown order")
	}
	return err
}

// subscriber acts on rollback events, from a durable consumer: nothing is lost while it is away.
func subscriber(h helper, orders <-chan string) error {
	nc, err := nats.Connect(h.nats, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	known := newKeys(h.log)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return until(orders, func() error { return subscribe(ctx, js, known) })
}

func subscribe(ctx context.Context, js jetstream.JetStream, known *keys) error {
	for ctx.Err() == nil {
		cons, err := js.CreateOrUpdateConsumer(ctx, chaos.EventsStream, jetstream.ConsumerConfig{
			Durable: "rollbacks", FilterSubject: "serin.rollback.>", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 5 * time.Second})
		if err != nil {
			<-time.After(200 * time.Millisecond)
			continue
		}
		for err == nil {
			err = takeSome(cons, known)
		}
	}
	return ctx.Err()
}

func takeSome(cons jetstream.Consumer, known *keys) error {
	batch, err := cons.Fetch(64, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		return err
	}
	for msg := range batch.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if err := known.take(chaos.Call{Key: eventID(msg.Headers()), Stream: meta.Sequence.Stream}, func() {}); err != nil {
			return err
		}
		_ = msg.Ack() // lost, it comes again under the same key
	}
	return batch.Error()
}

// eventID is the id of a CloudEvent; those of Serin need no decoding.
func eventID(h nats.Header) string { return strings.Join(h["ce-id"], "") }
