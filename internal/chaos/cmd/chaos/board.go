//go:build unix

package main

import (
	"context"
	"sync"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/internal/chaos"
)

// board is what the driver knows of the slots: their newest entries, and the releases that were answered.
type board struct {
	mu       sync.Mutex
	last     map[string]deployments.Entry
	answered map[string]bool
	news     map[string]chan struct{}
}

func newBoard(s chaos.Script) *board {
	b := &board{last: map[string]deployments.Entry{}, answered: map[string]bool{}, news: map[string]chan struct{}{}}
	for _, slot := range s.Slots {
		b.news[slot.Service] = make(chan struct{}, 1)
	}
	return b
}

// follow watches all partitions until ctx ends.
func (b *board) follow(ctx context.Context, j *jetstream.Journal) error {
	for p := range j.Partitions() {
		entries, err := j.Watch(ctx, p)
		if err != nil {
			return err
		}
		go func() {
			for e := range entries {
				b.see(e)
			}
		}()
	}
	return nil
}

func (b *board) see(e deployments.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news, ok := b.news[e.Slot.Service]
	if !ok {
		return
	}
	if e.Sequence > b.last[e.Slot.Service].Sequence {
		b.last[e.Slot.Service] = e
	}
	if in, ok := chaos.Released(e); ok {
		b.answered[in.Release.ID] = true
	}
	select {
	case news <- struct{}{}:
	default:
	}
}

// until waits until an entry of the service is as wanted. It is false when ctx ended first.
func (b *board) until(ctx context.Context, service string, wanted func(deployments.Entry) bool) bool {
	for {
		b.mu.Lock()
		e := b.last[service]
		ok := wanted(e)
		b.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-b.news[service]:
		case <-ctx.Done():
			return false
		}
	}
}

// rollout is the id of the service's last one.
func (b *board) rollout(service string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[service].Rollout
}
