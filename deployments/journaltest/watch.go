package journaltest

import (
	"context"

	"github.com/serin-cd/serin/deployments"
)

// Watch delivers the newest entry of each slot of the partition, a zero Entry, and every later entry.
func (m *Memory) Watch(ctx context.Context, partition int) (<-chan deployments.Entry, error) {
	entries := make(chan deployments.Entry)
	go func() {
		defer close(entries)
		for from, initial := 0, true; ; initial = false {
			batch, upTo, changed := m.behind(from, partition, initial)
			for _, e := range batch {
				select {
				case entries <- e:
				case <-ctx.Done():
					return
				}
			}
			from = upTo
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return entries, nil
}

// behind is what a watch delivers behind a sequence, up to which one, and what is closed when there is more.
func (m *Memory) behind(from, partition int, initial bool) (batch []deployments.Entry, upTo int, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for seq := from + 1; seq <= len(m.stored); seq++ {
		slot := m.stored[seq-1].slot
		if slot.Partition(Partitions) != partition || initial && m.last(slot) != seq {
			continue
		}
		if e, err := m.entry(seq); err == nil {
			batch = append(batch, e)
		}
	}
	if initial {
		batch = append(batch, deployments.Entry{})
	}
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return batch, len(m.stored), m.changed
}

// Entries is everything stored, oldest first.
func (m *Memory) Entries() []deployments.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]deployments.Entry, len(m.stored))
	for i := range all {
		all[i], _ = m.entry(i + 1)
	}
	return all
}
