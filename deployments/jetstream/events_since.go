package jetstream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Before is the sequence behind which all events stored since an instant are: where Follow begins to tell of them. It
// reads no event.
func (e Events) Before(ctx context.Context, since time.Time) (uint64, error) {
	c := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}
	r := reader{e.JS, e.Names.Stream(EventsStream), c, orDiscard(e.Log)}
	limited, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	first, err := r.open(limited)
	if err != nil {
		return 0, err
	}
	r.drop(ctx, first)
	return first.CachedInfo().Delivered.Stream, nil // a new consumer stands before its first message
}
