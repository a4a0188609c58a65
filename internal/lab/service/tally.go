package service

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Request is one user's request, as the user saw it.
type Request struct {
	At      time.Time // when it asked the flag; never when it ended
	Keyless bool      // its user has no targeting key
	Answer  string    // the version the flag named, or the fallback; "" where there was neither
	NoFlag  bool      // the flag could not be asked
	Version string    // the version it was sent to
	Failed  bool      // the answer was 500 or above, or there was none
}

// Count is what became of a version's requests.
type Count struct{ Requests, Failed int }

// Totals are all requests of all versions.
type Totals struct {
	Requests, Failed int
	Keyless          int // of users without a targeting key
	NoFlag           int // for which the flag could not be asked
	Dropped          int // due and never sent, since too many were in flight; not among Requests
}

// Tally counts requests by the version they were sent to. It is safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	totals Totals
	counts map[string]Count
	asked  map[string][]time.Time // in the order in which requests ended
	failed map[string]time.Time   // when the first that failed asked
}

// askedKept bounds the times kept of one version: above an hour at 200 requests a second.
const askedKept = 1 << 20

func newTally() *Tally {
	return &Tally{counts: map[string]Count{}, asked: map[string][]time.Time{}, failed: map[string]time.Time{}}
}

func (t *Tally) add(r Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts[r.Version]
	c.Requests++
	t.totals.Requests++
	if r.Failed {
		c.Failed++
		t.totals.Failed++
		if first, ok := t.failed[r.Version]; !ok || r.At.Before(first) {
			t.failed[r.Version] = r.At
		}
	}
	t.counts[r.Version] = c
	if r.Keyless {
		t.totals.Keyless++
	}
	if r.NoFlag {
		t.totals.NoFlag++
	}
	t.asked[r.Version] = append(t.asked[r.Version], r.At)
	if asked := t.asked[r.Version]; len(asked) > askedKept {
		t.asked[r.Version] = slices.Clone(asked[askedKept/2:])
	}
}

func (t *Tally) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.totals.Dropped++
}

// Of is what became of a version's requests so far. Those to a version that does not run are counted here too, as
// failed; those for which the flag named none are of version "".
func (t *Tally) Of(version string) Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[version]
}

// All is what became of all requests so far, by version.
func (t *Tally) All() map[string]Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// After counts a version's requests that asked the flag after the instant. One that asked before and ended after it
// does not count.
func (t *Tally) After(version string, instant time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, at := range t.asked[version] {
		if at.After(instant) {
			n++
		}
	}
	return n
}

// FirstFailed is when the first request to a version that failed asked the flag; zero where none did.
func (t *Tally) FirstFailed(version string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed[version]
}

// Totals are the counts over all versions so far.
func (t *Tally) Totals() Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.totals
}
