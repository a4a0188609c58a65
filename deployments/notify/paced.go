package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/serin-cd/serin/deployments"
)

// Deliverer tells one receiver about events.
type Deliverer interface {
	// Wants reports whether the receiver is told about an event at all.
	Wants(e deployments.Event) bool
	// Deliver tells about one event in one try. An error that no further try can help is a deployments.RefusedError.
	Deliver(ctx context.Context, e deployments.Event) error
}

// Paced keeps a receiver to one event a second, with short bursts. It never waits: an event that comes too early gets
// a place in the line, and a [*RetryAfterError] that says when it is its turn. Each severity has a line of its own, so
// that what a person must act on stands behind no news. While the receiver asks to be left alone no event reaches it.
// Use NewPaced to make one; it may be used by many goroutines.
type Paced struct {
	to        Deliverer
	clock     func() time.Time
	perSecond rate.Limit

	mu    sync.Mutex
	pace  [severities]*rate.Limiter
	turns map[string]time.Time // by event id: whose place in the line is reserved
	quiet time.Time            // the receiver asked to be left alone until then
}

const (
	perSecond        = 1  // messages to people
	machinePerSecond = 20 // events to a webhook
	burst            = 3
	severities       = 3 // as rank has them
	maxTurns         = 10_000
	lateTurn         = time.Minute // a place in the line that was not taken for so long is given up
)

var (
	errPace  = errors.New("more messages than this receiver is sent in a second")
	errQuiet = errors.New("the receiver asked to be left alone")
)

// NewPaced paces a receiver; a nil clock is time.Now.
func NewPaced(to Deliverer, clock func() time.Time) *Paced {
	return newPaced(to, clock, perSecond)
}

func newPaced(to Deliverer, clock func() time.Time, perSecond rate.Limit) *Paced {
	p := &Paced{to: to, clock: clock, perSecond: perSecond, turns: map[string]time.Time{}}
	p.formAnew()
	return p
}

// formAnew makes empty lines.
func (p *Paced) formAnew() {
	for i := range p.pace {
		p.pace[i] = rate.NewLimiter(p.perSecond, burst)
	}
	clear(p.turns)
}

// Wants reports whether the receiver is told about an event at all.
func (p *Paced) Wants(e deployments.Event) bool { return p.to.Wants(e) }

// Deliver tells the receiver if it is the event's turn.
func (p *Paced) Deliver(ctx context.Context, e deployments.Event) error {
	if !p.to.Wants(e) {
		return nil
	}
	if err := p.admit(e.ID, e.Severity, now(p.clock)); err != nil {
		return err
	}
	err := p.to.Deliver(ctx, e)
	if later, ok := errors.AsType[*RetryAfterError](err); ok {
		p.leaveAlone(now(p.clock).Add(later.After))
	}
	return err
}

// admit is nil when it is the event's turn.
func (p *Paced) admit(id string, severity deployments.Severity, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.quiet.Sub(at); wait > 0 {
		return &RetryAfterError{After: wait, Err: errQuiet}
	}
	turn, waiting := p.turns[id]
	if !waiting {
		place := p.pace[rank(severity)].ReserveN(at, 1)
		turn = at.Add(place.DelayFrom(at))
		if turn.After(at) && !p.remember(id, turn, at) {
			place.CancelAt(at)
		}
	}
	if wait := turn.Sub(at); wait > 0 {
		return &RetryAfterError{After: wait, Err: errPace}
	}
	delete(p.turns, id)
	return nil
}

// giveUp gives an event's place in the line back to nobody: it has been told otherwise.
func (p *Paced) giveUp(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.turns, id)
}

// remember keeps a place in the line. When there are too many, those that nobody came for are given up; false: all are
// awaited, and the event has to ask again.
func (p *Paced) remember(id string, turn, at time.Time) bool {
	if len(p.turns) >= maxTurns {
		for other, t := range p.turns {
			if at.Sub(t) > lateTurn {
				delete(p.turns, other)
			}
		}
	}
	if len(p.turns) >= maxTurns {
		return false
	}
	p.turns[id] = turn
	return true
}

// leaveAlone keeps every event off until then. The line forms anew: the places in it would all be due at once.
func (p *Paced) leaveAlone(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.quiet) {
		p.quiet = until
		p.formAnew()
	}
}
