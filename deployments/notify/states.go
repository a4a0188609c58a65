package notify

import (
	"context"
	"sync"
	"time"
)

// State is how telling a receiver went lately.
type State struct {
	Delivered time.Time `json:"delivered,omitzero"` // the last time, to a minute
	Failed    time.Time `json:"failed,omitzero"`    // the last time
	Error     string    `json:"error,omitempty"`    // of that
}

func stateKey(receiver string) string { return keyOf("state", receiver, "") }

// StateOf reads how telling a receiver went, by any worker.
func StateOf(ctx context.Context, m Memory, receiver string) (State, error) {
	var s State
	_, err := load(ctx, m, stateKey(receiver), &s)
	return s, err
}

// states writes how telling a receiver goes, not more than needed.
type states struct {
	memory   Memory
	receiver string
	now      func() time.Time

	mu   sync.Mutex
	last State // as this worker wrote it
}

// note remembers the outcome of a try. That it cannot is no reason to try again: the receiver was told.
func (s *states) note(ctx context.Context, err error) {
	const often, limit = time.Minute, 2 * time.Second
	at := now(s.now).UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && at.Sub(s.last.Delivered) < often && s.last.Delivered.After(s.last.Failed) || err != nil && s.last.Error == err.Error() && at.Sub(s.last.Failed) < often {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var known State
	revision, lost := load(ctx, s.memory, stateKey(s.receiver), &known)
	if lost != nil {
		return
	}
	if err == nil {
		known.Delivered = at
	} else {
		known.Failed, known.Error = at, plain(err.Error(), maxReason)
	}
	if saved, lost := save(ctx, s.memory, stateKey(s.receiver), known, revision); lost == nil && saved > 0 {
		s.last = known
	}
}
