package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Notebook keeps what the notifiers told, for all workers: one value a key in the bucket of notifiers, each write a
// compare-and-set.
type Notebook struct{ kv jetstream.KeyValue }

// OpenNotebook opens the bucket, which Setup makes.
func OpenNotebook(ctx context.Context, js jetstream.JetStream, n Names) (Notebook, error) {
	bucket := n.Bucket(NotifyBucket)
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return Notebook{}, fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	return Notebook{kv}, nil
}

// Load is a value and its revision; revision 0 means there is none.
func (n Notebook) Load(ctx context.Context, key string) ([]byte, uint64, error) {
	e, err := n.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("read notebook: %w", err)
	}
	return e.Value(), e.Revision(), nil
}

// Save writes a value over the given revision, 0 being none. Revision 0 in return: somebody else was first.
func (n Notebook) Save(ctx context.Context, key string, value []byte, over uint64) (revision uint64, err error) {
	if over == 0 {
		revision, err = n.kv.Create(ctx, key, value)
	} else {
		revision, err = n.kv.Update(ctx, key, value, over)
	}
	switch {
	case conflict(err) || errors.Is(err, jetstream.ErrKeyExists):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("write notebook: %w", err)
	}
	return revision, nil
}

// Keys are those that begin with prefix, which ends in a dot; keys have one more token.
func (n Notebook) Keys(ctx context.Context, prefix string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, localWait)
	defer cancel()
	list, err := n.kv.ListKeysFiltered(ctx, prefix+"*")
	if err != nil {
		return nil, fmt.Errorf("list notebook: %w", err)
	}
	var all []string
	for key := range list.Keys() { // ends with the context too
		all = append(all, key)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("list notebook: %w", ctx.Err())
	}
	return all, nil
}

// Forget removes a value if it still has the revision.
func (n Notebook) Forget(ctx context.Context, key string, revision uint64) error {
	err := n.kv.Delete(ctx, key, jetstream.LastRevision(revision))
	if err != nil && !conflict(err) {
		return fmt.Errorf("forget in notebook: %w", err)
	}
	return nil
}
