package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/flags"
)

// History is how many revisions of a flag the bucket keeps.
const History = 5

// Bucket makes the bucket of that name, or brings an existing one to these settings: History, files, replicas.
func Bucket(ctx context.Context, js jetstream.JetStream, name string, replicas int) (jetstream.KeyValue, error) {
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, Description: "feature flags in flagd's definition, by <environment>.<key>",
		History: History, Storage: jetstream.FileStorage, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("make flag bucket %s: %w", name, err)
	}
	return kv, nil
}

// Store is a flags.Store over a KV bucket. Its keys are flags.StoreKey's.
type Store struct {
	KV jetstream.KeyValue
}

// Get is the flag and its revision: flags.ErrNotFound for one that is not there or was deleted, an error for a value
// that is no flag, and NATS' own error, wrapped, when NATS does not answer.
func (s Store) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	entry, err := s.KV.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		err = flags.ErrNotFound
	}
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", key, err)
	}
	_, name := flags.SplitKey(key)
	f, err := flags.Parse(name, entry.Value())
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s at revision %d: %w", key, entry.Revision(), err)
	}
	return f, entry.Revision(), nil
}

// Update writes the flag if revision is its last one, and returns the new one; 0 creates it, also after a deletion.
func (s Store) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	var next uint64
	var err error
	if revision == 0 {
		next, err = s.KV.Create(ctx, key, f.Bytes())
	} else {
		next, err = s.KV.Update(ctx, key, f.Bytes(), revision)
	}
	if conflict(err) {
		err = flags.ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("write flag %s at revision %d: %w", key, revision, err)
	}
	return next, nil
}

// conflict knows both codes for a wrong last sequence: 10071, and 10164 of a replicated bucket with two writes in flight.
func conflict(err error) bool {
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return true
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
