package openfeature_test

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/openfeature"
)

// makeBucket makes the bucket that a provider reads.
func makeBucket(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: openfeature.DefaultBucket, History: 5})
}

// writer writes flags as the tests need it: adapters do not know one another, and so the real one is not used here.
type writer struct{ kv jetstream.KeyValue }

var _ flags.Store = writer{}

func (w writer) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	e, err := w.kv.Get(ctx, key)
	if err != nil {
		return flags.Flag{}, 0, errors.Join(flags.ErrNotFound, err)
	}
	_, name := flags.SplitKey(key)
	f, err := flags.Parse(name, e.Value())
	return f, e.Revision(), err
}

func (w writer) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	put := func() (uint64, error) { return w.kv.Update(ctx, key, f.Bytes(), revision) }
	if revision == 0 {
		put = func() (uint64, error) { return w.kv.Create(ctx, key, f.Bytes()) }
	}
	next, err := put()
	if errors.Is(err, jetstream.ErrKeyExists) {
		err = errors.Join(flags.ErrConflict, err)
	}
	return next, err
}
