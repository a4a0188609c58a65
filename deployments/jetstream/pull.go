package jetstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// pullWait is how long a fetch waits on the server. It bounds how long a stop takes.
const pullWait = 500 * time.Millisecond

// pull fetches batches of at most n messages from a durable consumer and calls work for each batch until ctx ends.
// work must range over the whole channel. Outages are waited out; a consumer that does not exist and a connection
// that is closed for good are errors.
func pull(ctx context.Context, js jetstream.JetStream, stream, durable string, n int, log *slog.Logger, work func(<-chan jetstream.Msg)) error {
	var cons jetstream.Consumer
	for attempt := 0; ctx.Err() == nil; {
		var err error
		if cons == nil {
			cons, err = js.Consumer(ctx, stream, durable)
			if missing(err) {
				return err
			}
		}
		if err == nil {
			err = pullOnce(ctx, js.Conn(), cons, n, work)
		}
		if err == nil {
			attempt = 0
			continue
		}
		if ctx.Err() == nil {
			log.Warn("messages not fetched", "stream", stream, "consumer", durable, "error", err)
		}
		if js.Conn().IsClosed() { // a request under way when the server goes fails with ErrConnectionClosed too
			return nats.ErrConnectionClosed
		}
		if missing(err) {
			cons = nil // looked up again: it may have been made anew
		}
		_ = pause(ctx, backoff(attempt))
		attempt++
	}
	return ctx.Err()
}

func pullOnce(ctx context.Context, nc *nats.Conn, cons jetstream.Consumer, n int, work func(<-chan jetstream.Msg)) error {
	// For each fetch that it cannot send, nats.go leaves a subscription behind.
	if err := connected(ctx, nc); err != nil {
		return err
	}
	answer, err := cons.Fetch(n, jetstream.FetchMaxWait(pullWait))
	if err != nil {
		return err
	}
	work(answer.Messages())
	return answer.Error()
}

// connected waits until there is a connection, ctx ends, or the connection is closed for good.
func connected(ctx context.Context, nc *nats.Conn) error {
	if nc.IsConnected() {
		return nil
	}
	changed := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(changed)
	for !nc.IsConnected() {
		if nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
