package openfeature

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
)

const (
	loadTimeout = 5 * time.Second // for the bucket, the watch and the first load together
	firstWait   = 50 * time.Millisecond
	longestWait = 5 * time.Second
)

var (
	errReconnected = errors.New("connected again")
	errWatchEnded  = errors.New("the watch ended")
)

// follow loads the flags and follows them, again and again, until ctx ends.
func (p *Provider) follow(ctx context.Context, s *session) {
	nc := p.JetStream.Conn()
	status := nc.StatusChanged()
	defer nc.RemoveStatusListener(status)
	first, wait := true, firstWait
	for ctx.Err() == nil {
		loaded := func() {
			if first {
				p.outbox.begin(true)
				first = false
				close(s.tried)
			}
			wait = firstWait
		}
		err := p.watch(ctx, status, loaded)
		if first && !errors.Is(err, errReconnected) {
			s.err, first = err, false
			p.outbox.begin(false)
			close(s.tried)
		}
		if ctx.Err() != nil {
			return
		}
		if p.flags.Load() != nil {
			p.outbox.putState(of.ProviderStale, err.Error())
		}
		if !errors.Is(err, errReconnected) {
			pause(ctx, nc, status, wait)
			wait = min(2*wait, longestWait)
		}
	}
}

// pause waits for about d, longer while NATS is away, and no longer once NATS is back. The jitter keeps many
// applications from coming back as one.
func pause(ctx context.Context, nc *nats.Conn, status <-chan nats.Status, d time.Duration) {
	for {
		timer := time.NewTimer(d/2 + rand.N(d))
		select {
		case <-ctx.Done():
		case now := <-status:
			if now != nats.CONNECTED {
				timer.Stop()
				continue
			}
		case <-timer.C:
			if !nc.IsConnected() {
				d = time.Second // a status may have been dropped: look again
				continue
			}
		}
		timer.Stop()
		return
	}
}

// watch loads the flags, calls loaded, and follows them until the watch, the connection or ctx ends.
func (p *Provider) watch(ctx context.Context, status <-chan nats.Status, loaded func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deadline := time.AfterFunc(loadTimeout, cancel)
	defer deadline.Stop()
	kv, err := p.JetStream.KeyValue(ctx, p.bucket())
	if err != nil {
		return fmt.Errorf("open flag bucket %s: %w", p.bucket(), err)
	}
	w, err := kv.Watch(ctx, p.pattern())
	if err != nil {
		return fmt.Errorf("watch flags in %s: %w", p.bucket(), err)
	}
	defer func() {
		cancel() // unsubscribes
		for range w.Updates() {
			// The subscription may wait for room in the channel before it closes it.
		}
	}()
	all, err := p.load(ctx, w.Updates(), status)
	if err != nil {
		return fmt.Errorf("load flags from %s: %w", p.bucket(), err)
	}
	deadline.Stop()
	stored := all
	before := p.flags.Swap(&stored)
	loaded()
	if before != nil {
		p.outbox.putChanges(all.changed(*before)...)
	}
	p.outbox.putState(of.ProviderReady, "flags loaded")
	return p.apply(ctx, all, w.Updates(), status)
}

// load reads until the nil entry that ends what is there.
func (p *Provider) load(ctx context.Context, updates <-chan jetstream.KeyValueEntry, status <-chan nats.Status) (snapshot, error) {
	all := snapshot{}
	for {
		select {
		case kve, ok := <-updates:
			switch {
			case !ok:
				return nil, errWatchEnded
			case kve == nil:
				return all, nil
			}
			all.set(p.name(kve.Key()), read(kve))
		case now := <-status:
			if now == nats.CONNECTED {
				return nil, errReconnected
			}
			return nil, away(now)
		case <-ctx.Done():
			return nil, fmt.Errorf("nothing within %s: %w", loadTimeout, ctx.Err())
		}
	}
}

// apply takes changes into the snapshot. It goes on while the connection is away: nothing is lost by it.
func (p *Provider) apply(ctx context.Context, all snapshot, updates <-chan jetstream.KeyValueEntry, status <-chan nats.Status) error {
	for {
		select {
		case kve, ok := <-updates:
			if !ok {
				return errWatchEnded
			}
			if kve == nil {
				continue
			}
			name := p.name(kve.Key())
			all = all.with(name, read(kve))
			next := all // a variable of its own: the stored one must not change
			p.flags.Store(&next)
			p.outbox.putChanges(name)
		case now := <-status:
			if now == nats.CONNECTED {
				return errReconnected
			}
			p.outbox.putState(of.ProviderStale, away(now).Error())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func away(now nats.Status) error {
	return fmt.Errorf("NATS is away: %s", strings.ToLower(now.String()))
}

func (p *Provider) pattern() string {
	if p.Environment == "" {
		return jetstream.AllKeys
	}
	return p.Environment + ".>"
}

// name is what applications call the flag under a store key.
func (p *Provider) name(key string) string {
	if p.Environment == "" {
		return key
	}
	return strings.TrimPrefix(key, p.Environment+".")
}
