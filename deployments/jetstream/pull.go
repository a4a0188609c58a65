package jetstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// pullWait is how long a fetch waits on the server. It bounds how long a stop takes.
const pullWait = 500 * time.Millisecond

// pull fetches batches of at most n messages from a durable consumer and calls work for each batch until ctx ends.
// work must range over the whole channel. Outages are waited out; a consumer that does not exist is an error.
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
			err = pullOnce(cons, n, work)
		}
		if err == nil {
			attempt = 0
			continue
		}
		if ctx.Err() == nil {
			log.Warn("messages not fetched", "stream", stream, "consumer", durable, "error", err)
		}
		if missing(err) {
			cons = nil // looked up again: it may have been made anew
		}
		_ = pause(ctx, backoff(attempt))
		attempt++
	}
	return ctx.Err()
}

func pullOnce(cons jetstream.Consumer, n int, work func(<-chan jetstream.Msg)) error {
	answer, err := cons.Fetch(n, jetstream.FetchMaxWait(pullWait))
	if err != nil {
		return err
	}
	work(answer.Messages())
	return answer.Error()
}
