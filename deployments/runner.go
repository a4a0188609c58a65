package deployments

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/serin-cd/serin/steps"
)

// runner advances one slot while this worker holds it. One goroutine decides; executors act beside it.
type runner struct {
	w       *Worker
	news    chan struct{}      // the watch saw a newer entry
	applied chan steps.Applied // executors answer
	results chan answer        // readings arrive
	done    chan struct{}      // closed when run has returned
	ended   func()             // tells the partition that there is nothing left to do

	mu       sync.Mutex
	entry    Entry  // the newest that this runner has decided on, or seen
	seen     Entry  // the newest of the watch
	finished bool   // no rollout is live: see refuses
	readings recent // for serin.ask

	measuring *measuring
	asked     bool // an answer is under way
	executors map[steps.Target]*executor
}

func newRunner(w *Worker, e Entry, ended func()) *runner {
	return &runner{w: w, entry: e, ended: ended, news: make(chan struct{}, 1), applied: make(chan steps.Applied),
		results: make(chan answer, 1), done: make(chan struct{}), executors: map[steps.Target]*executor{}}
}

// see takes an entry of the watch. It is false when the runner has finished.
func (r *runner) see(e Entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finished {
		return false
	}
	if e.Sequence > max(r.entry.Sequence, r.seen.Sequence) {
		r.seen = e
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
	return true
}

// run advances the slot until its rollout has ended and none is waiting, or ctx ends.
func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	defer r.stop()
	defer func() { r.w.rules.Add(-int64(len(r.readings.order))) }()
	for ctx.Err() == nil {
		r.settle(ctx)
		if r.finish() {
			r.ended()
			return
		}
		r.next(ctx)
	}
	r.drain(ctx)
}

// next waits for the next thing to happen, and handles it.
func (r *runner) next(ctx context.Context) {
	timer := time.NewTimer(r.sleep())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.news:
		r.mu.Lock()
		if r.seen.Sequence > r.entry.Sequence {
			r.entry = r.seen
		}
		r.mu.Unlock()
	case a := <-r.applied:
		r.handle(ctx, a)
	case a := <-r.results:
		r.measured(ctx, a)
	}
}

// settle brings the world into line with the state: releases that wait, deadlines that have passed, effects, readings.
func (r *runner) settle(ctx context.Context) {
	if _, waiting := r.entry.State.NextQueued(); waiting {
		r.insist(ctx, func(e Entry) (Entry, error) { return r.w.dequeue(ctx, e) })
	}
	r.lapse(ctx)
	r.perform(ctx)
	r.measure(ctx)
}

// lapse tells the rollout of a deadline that has passed.
func (r *runner) lapse(ctx context.Context) {
	if rollout := r.entry.State.Rollout; rollout != nil {
		if at, ok := rollout.WakeAt(); ok && !r.w.now().Before(at) {
			r.handle(ctx, steps.Tick{})
		}
	}
}

// handle decides on an input.
func (r *runner) handle(ctx context.Context, in steps.Input) {
	r.insist(ctx, func(e Entry) (Entry, error) {
		next, _, err := r.w.advance(ctx, e, in)
		return next, err
	})
}

// insist repeats a step of the journal until it is written, or found to change nothing. On a conflict it decides anew;
// while NATS is away it waits: nothing can be committed then, and so nothing is done.
func (r *runner) insist(ctx context.Context, step func(Entry) (Entry, error)) {
	e := r.entry
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		next, err := step(e)
		switch {
		case err == nil:
			r.mu.Lock()
			r.entry = next
			r.mu.Unlock()
			return
		case !errors.Is(err, ErrConflict):
			r.w.Log.WarnContext(ctx, "cannot advance", slog.String("slot", e.Slot.String()), slog.Any("error", err))
			if !wait(ctx, retry) {
				return
			}
		}
		if last, err := r.w.Journal.Last(ctx, e.Slot); err == nil {
			e = last
		}
	}
}

// perform hands the wishes of the state to their executors, and stops those that nobody wants any more.
func (r *runner) perform(ctx context.Context) {
	wishes := r.entry.wishes()
	for _, w := range wishes {
		x := r.executors[w.Target]
		if x == nil {
			x = &executor{worker: r.w, answers: r.applied}
			r.executors[w.Target] = x
		}
		x.want(ctx, w)
	}
	for target, x := range r.executors {
		if !slices.ContainsFunc(wishes, func(w Wish) bool { return w.Target == target }) {
			x.stop()
		}
	}
}

// finish ends the runner when there is nothing left to do, unless the watch knows better.
func (r *runner) finish() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, waiting := r.entry.State.NextQueued()
	r.finished = !r.entry.State.Live() && !waiting && r.seen.Sequence <= r.entry.Sequence && !r.hazardous()
	return r.finished
}

func (r *runner) hazardous() bool {
	for _, x := range r.executors {
		if x.hazardous() {
			return true
		}
	}
	return false
}

// drain finishes the readings under way, so that a verdict on its way is not lost with the worker.
func (r *runner) drain(ctx context.Context) {
	if !r.asked {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	select {
	case a := <-r.results:
		r.measured(ctx, a)
	case <-ctx.Done():
	}
}

// stop ends the executors and waits for them. Whoever holds the slot next asks the world again.
func (r *runner) stop() {
	for _, x := range r.executors {
		x.end(r.applied)
	}
}

// sleep is how long nothing is to do unless something happens.
func (r *runner) sleep() time.Duration {
	d := maxSleep
	now := r.w.now()
	if rollout := r.entry.State.Rollout; rollout != nil {
		if at, ok := rollout.WakeAt(); ok {
			d = min(d, at.Sub(now))
		}
	}
	if at, ok := r.measuring.dueAt(r.w.Lag); ok && !r.asked {
		d = min(d, at.Sub(now))
	}
	return max(d, 0)
}

const (
	drainTimeout = 5 * time.Second
	maxSleep     = time.Hour
)
