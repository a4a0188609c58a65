package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory keeps what receivers were told, for all workers. It outlives each of them.
type Memory interface {
	// Load is a value and its revision; revision 0 means there is none.
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Save writes a value over the given revision, 0 being none. Revision 0 in return: somebody else was first.
	Save(ctx context.Context, key string, value []byte, over uint64) (revision uint64, err error)
}

// List is a memory whose keys can be listed.
type List interface {
	Memory
	// Keys are those that begin with prefix, which ends in a dot.
	Keys(ctx context.Context, prefix string) ([]string, error)
	// Forget removes a value if it still has the revision.
	Forget(ctx context.Context, key string, revision uint64) error
}

// load reads a value into v.
func load(ctx context.Context, m Memory, key string, v any) (revision uint64, err error) {
	text, revision, err := m.Load(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("remember %s: %w", key, err)
	}
	if revision > 0 {
		_ = json.Unmarshal(text, v) // what cannot be read is written anew: at worst something is told twice
	}
	return revision, nil
}

// save writes v over a revision.
func save(ctx context.Context, m Memory, key string, v any, over uint64) (revision uint64, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return 0, refuse(fmt.Errorf("remember %s: %w", key, err))
	}
	if revision, err = m.Save(ctx, key, text, over); err != nil {
		return 0, fmt.Errorf("remember %s: %w", key, err)
	}
	return revision, nil
}

// keyOf is the key of what a receiver knows of something. A rollout's id may have characters that a key may not.
func keyOf(kind, receiver, of string) string {
	sum := sha256.Sum256([]byte(of))
	return kind + "." + receiver + "." + hex.EncodeToString(sum[:12])
}

// busyError asks for another try soon: it is another worker's turn. The receiver need not be left alone for it.
type busyError struct {
	after time.Duration
	why   string
}

// RetryAfter is how long to wait before the next try.
func (e *busyError) RetryAfter() time.Duration { return e.after }

// WaitsItsTurn reports that this was no try.
func (e *busyError) WaitsItsTurn() bool { return true }

// Error says why.
func (e *busyError) Error() string {
	return e.why + "; again in " + e.after.Round(time.Millisecond).String()
}

// Brief is a memory that ends with the process: for a message that says that it is a test. Its zero value is empty.
type Brief struct {
	mu     sync.Mutex
	values map[string]remembered
	last   uint64
}

type remembered struct {
	value    []byte
	revision uint64
}

// Load is a value and its revision.
func (b *Brief) Load(_ context.Context, key string) ([]byte, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.values[key].value, b.values[key].revision, nil
}

// Save writes a value over the given revision.
func (b *Brief) Save(_ context.Context, key string, value []byte, over uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.values[key].revision != over {
		return 0, nil
	}
	if b.values == nil {
		b.values = map[string]remembered{}
	}
	b.last++
	b.values[key] = remembered{slices.Clone(value), b.last}
	return b.last, nil
}

// Keys are those that begin with prefix.
func (b *Brief) Keys(_ context.Context, prefix string) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for key := range b.values {
		if strings.HasPrefix(key, prefix) {
			all = append(all, key)
		}
	}
	return all, nil
}

// Forget removes a value if it still has the revision.
func (b *Brief) Forget(_ context.Context, key string, revision uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.values[key].revision == revision {
		delete(b.values, key)
	}
	return nil
}
