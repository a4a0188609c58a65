package flagstest

import (
	"context"
	"fmt"
	"sync"

	"github.com/serin-cd/serin/flags"
)

// Memory is a Store in memory. The zero value is empty and ready.
type Memory struct {
	mu       sync.Mutex
	revision uint64
	entries  map[string]entry
}

type entry struct {
	data     []byte
	revision uint64
}

// Get is the flag and its revision.
func (m *Memory) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	if err := ctx.Err(); err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", key, err)
	}
	m.mu.Lock()
	e, ok := m.entries[key]
	m.mu.Unlock()
	if !ok {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", key, flags.ErrNotFound)
	}
	_, name := flags.SplitKey(key)
	f, err := flags.Parse(name, e.data)
	return f, e.revision, err
}

// Update writes the flag if revision is its last one.
func (m *Memory) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("write flag %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key].revision != revision {
		return 0, fmt.Errorf("write flag %s: %w", key, flags.ErrConflict)
	}
	if m.entries == nil {
		m.entries = map[string]entry{}
	}
	m.revision++
	m.entries[key] = entry{f.Bytes(), m.revision}
	return m.revision, nil
}
