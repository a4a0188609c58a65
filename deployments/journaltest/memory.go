package journaltest

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/serin-cd/serin/deployments"
)

// Memory is a journal in memory. The zero value is empty and has Partitions partitions.
type Memory struct {
	Fail  func(e deployments.Entry) error // asked before an entry is stored: its error is returned, nothing is stored
	After func(e deployments.Entry) error // asked once it is stored: its error is returned although the entry landed

	mu      sync.Mutex
	stored  []record
	changed chan struct{} // closed at the next append
}

type record struct {
	slot deployments.Slot
	data []byte // as a real journal would keep it
}

var _ deployments.Journal = (*Memory)(nil)

// entry reads the entry with a sequence, counted from 1.
func (m *Memory) entry(seq int) (e deployments.Entry, err error) {
	err = json.Unmarshal(m.stored[seq-1].data, &e)
	e.Sequence = uint64(seq)
	return e, err
}

// Last is the slot's newest entry.
func (m *Memory) Last(_ context.Context, s deployments.Slot) (deployments.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq := m.last(s); seq > 0 {
		return m.entry(seq)
	}
	return deployments.Entry{}, nil
}

func (m *Memory) last(s deployments.Slot) int {
	for seq := len(m.stored); seq > 0; seq-- {
		if m.stored[seq-1].slot == s {
			return seq
		}
	}
	return 0
}

// Append stores e behind e.After, between Fail and After.
func (m *Memory) Append(_ context.Context, e deployments.Entry) (uint64, error) {
	if m.Fail != nil {
		if err := m.Fail(e); err != nil {
			return 0, err
		}
	}
	seq, err := m.store(e)
	if err == nil && m.After != nil {
		e.Sequence = seq
		err = m.After(e)
	}
	return seq, err
}

func (m *Memory) store(e deployments.Entry) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	if uint64(m.last(e.Slot)) != e.After {
		return 0, deployments.ErrConflict
	}
	m.stored = append(m.stored, record{e.Slot, data})
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
	return uint64(len(m.stored)), nil
}
