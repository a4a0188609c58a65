package openfeature

import (
	"context"
	"maps"
	"slices"
	"sync"

	of "github.com/open-feature/go-sdk/openfeature"
)

// outbox holds events until the SDK takes them. It never makes the watch wait: of several states only the last is
// kept, and changes are merged. Its zero value is ready.
type outbox struct {
	once sync.Once
	out  chan of.Event
	wake chan struct{}

	mu      sync.Mutex
	last    of.EventType // state that was put last
	state   *of.Event    // not taken yet
	changed map[string]struct{}
}

func (o *outbox) init() {
	o.once.Do(func() {
		o.out, o.wake = make(chan of.Event), make(chan struct{}, 1)
		o.changed = map[string]struct{}{}
	})
}

func (o *outbox) channel() <-chan of.Event {
	o.init()
	return o.out
}

// putState puts READY or STALE, unless it was the last one put.
func (o *outbox) putState(state of.EventType, message string) {
	o.init()
	o.mu.Lock()
	if o.last != state {
		o.last = state
		o.state = &of.Event{EventType: state, ProviderEventDetails: of.ProviderEventDetails{Message: message}}
	}
	o.mu.Unlock()
	o.signal()
}

// begin notes that the SDK itself takes the provider for ready, or does not.
func (o *outbox) begin(ready bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = of.ProviderError
	if ready {
		o.last = of.ProviderReady
	}
}

func (o *outbox) putChanges(names ...string) {
	if len(names) == 0 {
		return
	}
	o.init()
	o.mu.Lock()
	for _, name := range names {
		o.changed[name] = struct{}{}
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run hands events over until ctx ends.
func (o *outbox) run(ctx context.Context) {
	o.init()
	for {
		e, ok := o.take()
		if !ok {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case o.out <- e:
		case <-ctx.Done():
			return
		}
	}
}

// take is the next event: a state before changes.
func (o *outbox) take() (of.Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var e of.Event
	switch {
	case o.state != nil:
		e, o.state = *o.state, nil
	case len(o.changed) > 0:
		e.EventType = of.ProviderConfigChange
		e.FlagChanges = slices.Sorted(maps.Keys(o.changed))
		clear(o.changed)
	default:
		return of.Event{}, false
	}
	e.ProviderName = "serin"
	return e, true
}
