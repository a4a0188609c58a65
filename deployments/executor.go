package deployments

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/serin-cd/serin/steps"
)

const (
	callTimeout = 30 * time.Second      // of one exposing call
	cancelGrace = 50 * time.Millisecond // that a cancelled call has to return before a kill goes ahead of it
	firstRetry  = 100 * time.Millisecond
	lastRetry   = 10 * time.Second
)

// executor makes the wishes for one target of one slot true: one call at a time. A kill cancels the call in flight; if
// that call does not return, the kill goes ahead and is asserted again after the call's deadline, so that a write which
// was under way cannot have the last word.
type executor struct {
	worker  *Worker
	answers chan<- steps.Applied

	mu       sync.Mutex
	wish     Wish
	cancel   context.CancelFunc
	returned chan struct{} // closed when the call in flight is over
	deadline time.Time     // of the call in flight
	hazard   time.Time     // until then a cancelled call may still write
	calls    sync.WaitGroup
}

// want takes a new wish. The same wish again changes nothing.
func (x *executor) want(ctx context.Context, w Wish) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cancel != nil && x.wish.Seq == w.Seq && x.wish.Rollout == w.Rollout && x.wish.try == w.try {
		return
	}
	x.stopLocked()
	before, deadline := x.returned, x.deadline
	call, cancel := context.WithCancel(ctx)
	x.wish, x.cancel, x.returned = w, cancel, make(chan struct{})
	done := x.returned
	x.calls.Go(func() {
		defer close(done)
		defer cancel()
		x.clear(before, deadline)
		x.insist(call, w)
	})
}

// stop cancels what is under way: nobody wants it any more. A kill that must be asserted again is not stopped.
func (x *executor) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.wish.Exposure.Kill {
		x.stopLocked()
	}
}

func (x *executor) stopLocked() {
	if x.cancel != nil {
		x.cancel()
		x.cancel = nil
	}
}

// end cancels everything and waits for it, taking the answers that come meanwhile.
func (x *executor) end(answers <-chan steps.Applied) {
	x.mu.Lock()
	x.stopLocked()
	x.mu.Unlock()
	over := make(chan struct{})
	go func() {
		defer close(over)
		x.calls.Wait()
	}()
	for {
		select {
		case <-answers:
		case <-over:
			return
		}
	}
}

// hazardous reports whether a kill is still to be asserted again.
func (x *executor) hazardous() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.hazard.IsZero()
}

// clear waits a moment for the call before, and remembers how long it may still do harm if it does not return.
func (x *executor) clear(before chan struct{}, deadline time.Time) {
	if before == nil {
		return
	}
	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()
	select {
	case <-before:
	case <-timer.C:
		x.mu.Lock()
		x.hazard = deadline
		x.mu.Unlock()
	}
}

// insist tries until the wish is confirmed, is no longer wanted, or ctx ends.
func (x *executor) insist(ctx context.Context, w Wish) {
	for retry := firstRetry; ; retry = min(2*retry, lastRetry) {
		if !x.wanted(ctx, w) {
			return
		}
		observed, err := x.call(ctx, w)
		if ctx.Err() != nil {
			return
		}
		x.report(ctx, w, observed, err)
		if err == nil && observed.Confirmed && observed.Share == w.Exposure.Share {
			x.assertAgain(ctx, w)
			return
		}
		if !wait(ctx, retry) {
			return
		}
	}
}

// wanted reads the slot's last entry before a write: an older wish is dropped. When the journal cannot be read, or a
// replica of it lags behind, a kill goes on and anything else waits.
func (x *executor) wanted(ctx context.Context, w Wish) bool {
	for {
		last, err := x.worker.Journal.Last(ctx, w.Slot)
		switch {
		case err == nil && last.Rev >= w.rev:
			return last.wants(w)
		case w.Exposure.Kill && ctx.Err() == nil:
			return true
		case !wait(ctx, firstRetry):
			return false
		}
	}
}

func (x *executor) call(ctx context.Context, w Wish) (steps.Observed, error) {
	expose, err := x.worker.exposing(w)
	if err != nil {
		return steps.Observed{}, err
	}
	p, err := x.worker.policies.get(ctx, w.Slot, w.policy)
	if err != nil {
		return steps.Observed{}, err
	}
	w.Flags = p.Flags
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	x.mu.Lock()
	x.deadline = deadline
	x.mu.Unlock()
	begin := time.Now()
	observed, err := expose(ctx, w)
	x.worker.Metrics.exposed(w, err, time.Since(begin))
	return observed, err
}

// exposing is what makes the wish true.
func (w *Worker) exposing(wish Wish) (func(context.Context, Wish) (steps.Observed, error), error) {
	if wish.Target == steps.Ready {
		return w.probe, nil
	}
	exposer, ok := w.Exposers[wish.Mover.Kind]
	if !ok {
		return nil, errors.New("this worker has no " + string(wish.Mover.Kind))
	}
	return exposer.Expose, nil
}

func (x *executor) report(ctx context.Context, w Wish, o steps.Observed, err error) {
	a := steps.Applied{Rollout: w.Rollout, Seq: w.Seq, Target: w.Target, Observed: o.Share, Confirmed: o.Confirmed && err == nil, How: o.How}
	if err != nil {
		a.Err = err.Error()
		x.worker.Log.WarnContext(ctx, "not confirmed", slog.String("slot", w.Slot.String()), slog.String("rollout", w.Rollout),
			slog.Uint64("seq", w.Seq), slog.String("target", string(w.Target)), slog.Any("error", err))
	}
	select {
	case x.answers <- a:
	case <-ctx.Done():
	}
}

// assertAgain repeats a confirmed kill once a cancelled call can no longer do harm.
func (x *executor) assertAgain(ctx context.Context, w Wish) {
	for {
		x.mu.Lock()
		hazard := x.hazard
		x.mu.Unlock()
		if !w.Exposure.Kill || hazard.IsZero() {
			return
		}
		if !wait(ctx, time.Until(hazard)) {
			return
		}
		if o, err := x.call(ctx, w); err == nil && o.Confirmed && o.Share == 0 {
			x.mu.Lock()
			x.hazard = time.Time{}
			x.mu.Unlock()
		} else if !wait(ctx, firstRetry) {
			return
		}
	}
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
