package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

const (
	// askWithin is how long a worker may take to answer.
	askWithin = time.Second
	// keptEntries is how many of a rollout's last entries are read: the decisions shown, and those that carry readings.
	keptEntries = 8
	// askedAtOnce and mostAsked bound what is asked for all rollouts under way. Behind it the journal alone tells.
	askedAtOnce = 8
	mostAsked   = 50
	// listEvery is how long a list of slots will do while nothing is told, and stayFor how long a rollout that has ended is
	// still shown among those under way.
	listEvery = 5 * time.Second
	stayFor   = time.Minute
	// bearable is how long a worker may be silent before that is said: a slot that changes hands is.
	bearable = 3 * time.Second
)

// lookAt asks the worker that holds a slot, and reads the journal where that has something new. What was heard before and
// still holds is kept; after an error all of it, with since when nobody answers.
func lookAt(ctx context.Context, r *remote, s deployments.Slot, now time.Time, before looked) (looked, error) {
	l := before
	l.Slot = s
	tried, answered := false, false
	ask := func() {
		if tried || !l.State.Live() { // nobody would answer
			return
		}
		tried = true
		if asked, err := askOwner(ctx, r, s); err == nil {
			l, answered = l.answered(asked, now), true
		}
	}
	ask()
	if !answered || l.Rev != newestRev(l) {
		last, err := r.reader().Last(ctx, s)
		if err != nil {
			return before.silent(s, now), err
		}
		entries, err := newerEntries(ctx, r, s, l.Entries, last)
		if err != nil {
			return before.silent(s, now), err
		}
		l = l.stored(last, entries, now)
		ask()
	}
	if !answered && l.State.Live() {
		return l.silent(s, now), nil
	}
	l.Silent = time.Time{}
	return l, nil
}

// askOwner asks the worker that holds a slot.
func askOwner(ctx context.Context, r *remote, s deployments.Slot) (deployments.Asked, error) {
	var asked deployments.Asked
	reply, err := jetstream.Client{Conn: r.nc, Names: r.names, Timeout: askWithin}.Ask(ctx, s, nil)
	switch {
	case err != nil:
		return asked, err
	case !reply.OK:
		return asked, errors.New(reply.Error)
	}
	err = json.Unmarshal(reply.State, &asked)
	return asked, err
}

// answered is what is known after a worker's answer.
func (l looked) answered(a deployments.Asked, now time.Time) looked {
	l.Rev, l.State, l.Worker, l.Readings, l.Heard = a.Rev, a.State, a.Worker, a.Readings, now
	return l
}

// stored is what is known after a look into the journal.
func (l looked) stored(last deployments.Entry, entries []deployments.Entry, now time.Time) looked {
	id := ""
	if last.State.Rollout != nil {
		id = last.State.Rollout.ID
	}
	if was := l.State.Rollout; was != nil && was.ID != id {
		l.Readings = nil // of another rollout
	}
	if last.Rev >= l.Rev {
		l.Rev, l.State = last.Rev, last.State
	}
	l.Entries, l.Heard = entries, now
	return l
}

// silent is what was known, with since when nobody answers.
func (l looked) silent(s deployments.Slot, now time.Time) looked {
	l.Slot = s
	if l.Silent.IsZero() {
		l.Silent = now
	}
	return l
}

func newestRev(l looked) uint64 {
	if n := len(l.Entries); n > 0 {
		return l.Entries[n-1].Rev
	}
	return 0
}

// newerEntries are the last entries of the newest rollout: those known, and those behind them. The first time it goes back
// from the newest, one entry at a time.
func newerEntries(ctx context.Context, r *remote, s deployments.Slot, known []deployments.Entry, last deployments.Entry) ([]deployments.Entry, error) {
	out := []deployments.Entry{last}
	mine := func(e deployments.Entry) bool { return e.Rollout == last.Rollout && last.Rollout != "" }
	var stop uint64
	if len(known) > 0 && mine(known[0]) {
		stop = known[len(known)-1].Sequence
	}
	for out[0].After > stop && len(out) < keptEntries {
		earlier, err := entryAt(ctx, r, s, out[0].After)
		if err != nil {
			return nil, err
		}
		if !mine(earlier) {
			break
		}
		out = append([]deployments.Entry{earlier}, out...)
	}
	if stop > 0 {
		out = slices.Concat(known, slices.DeleteFunc(out, func(e deployments.Entry) bool { return e.Sequence <= stop }))
	}
	return out[max(0, len(out)-keptEntries):], nil
}

var errOne = errors.New("one is enough")

// entryAt is a slot's entry at a sequence of the journal; the zero Entry when it is not kept.
func entryAt(ctx context.Context, r *remote, s deployments.Slot, sequence uint64) (deployments.Entry, error) {
	var found deployments.Entry
	err := r.reader().EntriesAfter(ctx, s, sequence-1, func(e deployments.Entry) error {
		found = e
		return errOne
	})
	if errors.Is(err, errOne) {
		err = nil
	}
	return found, err
}

// listed is the newest entry of every slot, and when it was read.
type listed struct {
	entries []deployments.Entry
	at      time.Time
}

// refresh reads the slots again where that was long ago, or anew is wanted: it asks for each partition.
func (k *listed) refresh(ctx context.Context, r *remote, environment string, now time.Time, anew bool) error {
	if !anew && now.Sub(k.at) < listEvery {
		return nil
	}
	entries, err := r.reader().Slots(ctx, environment)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b deployments.Entry) int { return strings.Compare(a.Slot.String(), b.Slot.String()) })
	k.entries, k.at = entries, now
	return nil
}

// lookAtAll looks at all rollouts that are under way, and for a while on at those that were. Of very many the journal alone
// tells.
func lookAtAll(ctx context.Context, r *remote, entries []deployments.Entry, now time.Time, before []looked) ([]looked, error) {
	var out []looked
	for _, e := range entries {
		k := slices.IndexFunc(before, func(l looked) bool { return l.Slot == e.Slot })
		over := e.State.Rollout != nil && k >= 0 && now.Sub(e.State.Rollout.EndedAt) < stayFor
		if !e.State.Live() && !over {
			continue
		}
		l := looked{Slot: e.Slot, Rev: e.Rev, State: e.State, Heard: now}
		if k >= 0 && before[k].Rev >= e.Rev {
			l = before[k]
		} else if k >= 0 {
			l.Silent, l.Readings = before[k].Silent, before[k].Readings
		}
		out = append(out, l)
	}
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(askedAtOnce)
	for i, l := range out[:min(len(out), mostAsked)] {
		if !l.State.Live() {
			out[i].Silent = time.Time{}
			continue
		}
		asking.Go(func() error {
			asked, err := askOwner(ctx, r, l.Slot)
			if err != nil {
				out[i] = l.silent(l.Slot, now)
				return ctx.Err()
			}
			out[i] = l.answered(asked, now)
			out[i].Silent = time.Time{}
			return nil
		})
	}
	return out, asking.Wait()
}

// quiet is what was known of all, with since when nobody answers.
func quiet(before []looked, now time.Time) []looked {
	out := slices.Clone(before)
	for i := range out {
		out[i] = out[i].silent(out[i].Slot, now)
	}
	return out
}

// wire is a connection that comes back, also where the server on a data directory has another address than before.
type wire struct {
	remote *remote
	dial   func(context.Context) (*remote, error)
	sub    *nats.Subscription
	heard  chan struct{} // something was told on the subject
	topic  string
}

// listen wakes whoever waits for heard when something is told. Who may not listen hears nothing.
func (w *wire) listen(subject string) {
	w.topic = subject
	if w.heard == nil {
		w.heard = make(chan struct{}, 1)
	}
	w.sub, _ = w.remote.nc.Subscribe(w.remote.names.Subject("event", subject), func(*nats.Msg) {
		select {
		case w.heard <- struct{}{}:
		default:
		}
	})
}

// renew makes a new connection where the old one is down.
func (w *wire) renew(ctx context.Context) {
	if w.remote.nc.IsConnected() {
		return
	}
	fresh, err := w.dial(ctx)
	if err != nil {
		return // the old one goes on trying
	}
	w.remote.close()
	w.remote = fresh
	if w.topic != "" {
		w.listen(w.topic)
	}
}

func (w *wire) close() { w.remote.close() }
