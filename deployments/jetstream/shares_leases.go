package jetstream

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/serin-cd/serin/deployments"
)

// FairLeases are Leases that workers share fairly, by what they say of themselves each second. Safety and completeness
// rest on the leases alone: without reports, or with wrong ones, only the balance suffers.
type FairLeases struct {
	Leases     Leases
	Presence   Presence
	Name       string // unique among the workers
	Version    string // of the program
	Since      time.Time
	Partitions int        // of all workers together
	Rollouts   func() int // under way; nil: none

	mu       sync.Mutex
	capacity int
	draining bool
	held     map[int]bool
	crowd    crowd
}

var _ deployments.Leases = (*FairLeases)(nil)

// Hold is Leases.Hold with fair shares. That the worker drains is said before anything is handed back.
func (f *FairLeases) Hold(ctx context.Context, capacity int, hold func(ctx context.Context, partition int)) error {
	f.mu.Lock()
	f.capacity, f.draining, f.held = capacity, false, map[int]bool{}
	f.mu.Unlock()
	holding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.Presence.Watch(holding, f.crowd.hear); err != nil && holding.Err() == nil {
			orDiscard(f.Leases.Log).Warn("other workers are not heard: partitions may be shared unevenly", "error", err)
		}
	})
	wg.Go(func() {
		select {
		case <-ctx.Done():
			f.drain()
			stop()
		case <-holding.Done():
		}
	})
	defer wg.Wait()
	defer stop()
	leases := f.Leases
	leases.Share = f.share
	err := leases.Hold(holding, capacity, func(ctx context.Context, p int) {
		f.set(p, true)
		defer f.set(p, false)
		hold(ctx, p)
	})
	return cmp.Or(ctx.Err(), err)
}

// Announce says what this worker holds until ctx ends. It should outlast Hold, so that its end is seen.
func (f *FairLeases) Announce(ctx context.Context) error { return f.Presence.Announce(ctx, f.report) }

func (f *FairLeases) report() Report {
	r := Report{Name: f.Name, Version: f.Version, Since: f.Since}
	if f.Rollouts != nil {
		r.Rollouts = f.Rollouts()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Capacity, r.Draining = f.capacity, f.draining
	for p := range f.held {
		r.Partitions = append(r.Partitions, p)
	}
	slices.Sort(r.Partitions)
	return r
}

func (f *FairLeases) share(held int) (want int, shed bool) {
	f.mu.Lock()
	capacity := f.capacity
	f.mu.Unlock()
	now := f.Presence.now()
	return Fair(f.Name, held, capacity, f.Partitions, f.crowd.fresh(now), now)
}

func (f *FairLeases) set(p int, held bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if held {
		f.held[p] = true
	} else {
		delete(f.held, p)
	}
}

func (f *FairLeases) drain() {
	f.mu.Lock()
	f.draining = true
	f.mu.Unlock()
	f.Presence.say(f.report())
}
