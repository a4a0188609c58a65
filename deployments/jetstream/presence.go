package jetstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	reportEvery = time.Second
	goneAfter   = 3 * time.Second // without a report; shorter than the leases' AckWait
	maxReport   = 64 << 10        // bytes
	maxHeard    = 4096            // workers that are remembered
)

// Report is what a worker says of itself. Nothing but balance and what people see rests on it.
type Report struct {
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	Since      time.Time `json:"since"`
	Partitions []int     `json:"partitions"` // held, ascending
	Capacity   int       `json:"capacity"`   // partitions held at most
	Rollouts   int       `json:"rollouts"`   // under way
	Draining   bool      `json:"draining"`
	Gone       bool      `json:"gone,omitempty"` // the last report: the worker has stopped

	Heard time.Time `json:"-"` // by the listener's clock: clocks of machines differ
}

// Presence is how workers hear of one another: <prefix>.worker.<name>, each second, stored nowhere.
type Presence struct {
	Conn  *nats.Conn
	Names Names
	Now   func() time.Time // nil: time.Now

	every time.Duration // between reports; 0: 1 s
}

// Announce publishes a report each second until ctx ends, and then that the worker is gone. It returns ctx's error:
// what cannot be said now is said a second later.
func (p Presence) Announce(ctx context.Context, report func() Report) error {
	tick := time.NewTicker(cmp.Or(p.every, reportEvery))
	defer tick.Stop()
	for ctx.Err() == nil {
		p.say(report())
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	r := report()
	r.Partitions, r.Draining, r.Gone = nil, true, true
	p.say(r)
	return ctx.Err()
}

// say publishes a report, unless it would wait for a connection and be old by then.
func (p Presence) say(r Report) {
	if r.Partitions == nil {
		r.Partitions = []int{}
	}
	data, err := json.Marshal(r)
	if err == nil && p.Conn.IsConnected() {
		_ = p.Conn.Publish(p.Names.Subject("worker", token(r.Name)), data)
	}
}

// Watch calls hear for each report until ctx ends, and returns ctx's error. Reports that cannot be read, or that speak
// for another worker than their subject does, are left out.
func (p Presence) Watch(ctx context.Context, hear func(Report)) error {
	msgs, stop, err := p.listen()
	if err != nil {
		return err
	}
	defer stop()
	return p.hear(ctx, msgs, hear)
}

// Gather listens for d and returns the workers it has heard, by name. An error of the server, such as a missing
// permission, is returned.
func (p Presence) Gather(ctx context.Context, d time.Duration) ([]Report, error) {
	msgs, stop, err := p.listen()
	if err != nil {
		return nil, err
	}
	defer stop()
	err = p.Conn.FlushTimeout(serveWait)
	if last := p.Conn.LastError(); err == nil && errors.Is(last, nats.ErrPermissionViolation) {
		err = last
	}
	if err != nil {
		return nil, fmt.Errorf("listen to workers: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var c crowd
	err = p.hear(limited, msgs, c.hear)
	if ctx.Err() == nil && limited.Err() != nil {
		err = nil
	}
	return c.fresh(p.now()), err
}

func (p Presence) listen() (<-chan *nats.Msg, func(), error) {
	msgs := make(chan *nats.Msg, 256)
	sub, err := p.Conn.ChanSubscribe(p.Names.Subject("worker", "*"), msgs)
	if err != nil {
		return nil, nil, fmt.Errorf("listen to workers: %w", err)
	}
	return msgs, func() { _ = sub.Unsubscribe() }, nil
}

func (p Presence) hear(ctx context.Context, msgs <-chan *nats.Msg, hear func(Report)) error {
	for {
		select {
		case msg, ok := <-msgs:
			if !ok {
				return fmt.Errorf("listen to workers: %w", nats.ErrConnectionClosed)
			}
			if r, ok := p.read(msg); ok {
				hear(r)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p Presence) read(msg *nats.Msg) (Report, bool) {
	var r Report
	if len(msg.Data) > maxReport || json.Unmarshal(msg.Data, &r) != nil || r.Name == "" {
		return Report{}, false
	}
	r.Heard = p.now()
	return r, msg.Subject == p.Names.Subject("worker", token(r.Name))
}

func (p Presence) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// token is a name as one token of a subject.
func token(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
}

// present reports whether a report still counts at an instant.
func (r Report) present(now time.Time) bool {
	return !r.Gone && now.Sub(r.Heard).Abs() < goneAfter
}

// crowd is the last report of each worker.
type crowd struct {
	mu    sync.Mutex
	heard map[string]Report
}

func (c *crowd) hear(r Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		c.heard = map[string]Report{}
	}
	if _, known := c.heard[r.Name]; known || len(c.heard) < maxHeard {
		c.heard[r.Name] = r
	}
}

// fresh are the workers that are there, by name. The others are forgotten.
func (c *crowd) fresh(now time.Time) []Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []Report{}
	for name, r := range c.heard {
		if r.present(now) {
			all = append(all, r)
		} else {
			delete(c.heard, name)
		}
	}
	slices.SortFunc(all, func(a, b Report) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
