package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// askAgain is how long to leave workers alone that do not answer.
const askAgain = time.Second

// ofVersion follows the rollout of a version of a service, also of a release that nobody has taken in yet.
//
// What the slot knows of the version may be of a release before the one that was published a moment ago. Where another
// release of it would come to something else, the older story is the answer only when no news have come within the
// accept timeout.
func (w *waiter) ofVersion(ctx context.Context, r *remote) error {
	e, err := w.slotNow(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return w.finish(*w.cancelledEarly())
	case errors.Is(err, jetstream.ErrNobody):
		return w.finish(*w.nobody())
	case errors.Is(err, nats.ErrConnectionClosed):
		return exitError{code: exitUnreachable, err: err}
	case err != nil:
		return err
	}
	w.known = e.Rev
	if end, settled := w.place(e); settled {
		w.accept = 0
		if end != nil {
			return w.finish(*end)
		}
	} else {
		w.before = func() (*result, bool) { return w.earlier(ctx, r) }
	}
	events := jetstream.Events{JS: r.js, Names: r.names}
	from, err := events.LatestOf(context.WithoutCancel(ctx), w.rel.Slot)
	if err != nil && !errors.Is(err, jetstream.ErrNobody) {
		return exitError{code: exitUnreachable, err: err}
	}
	return w.wait(ctx, events, from-min(from, lookBack), nil)
}

// slotNow is the slot's newest entry. Workers that do not answer may be about to begin: they are asked as long as somebody
// may take to take a release in.
func (w *waiter) slotNow(ctx context.Context) (deployments.Entry, error) {
	over, again := limit(w.accept), time.NewTicker(askAgain)
	defer again.Stop()
	for {
		e, err := w.last()
		if !errors.Is(err, jetstream.ErrNobody) {
			return e, err
		}
		select {
		case <-over:
			return e, err
		case <-ctx.Done():
			return e, ctx.Err()
		case <-again.C:
		}
	}
}

// place takes in what the slot says of the version, where another release of it would be a duplicate of that. It returns
// the end, if there was one.
func (w *waiter) place(e deployments.Entry) (end *result, settled bool) {
	s, version := e.State, w.rel.Version
	i := slices.IndexFunc(s.Queue, func(q deployments.Queued) bool { return q.Release.Version == version })
	switch {
	case i >= 0:
		w.rel.ID = s.Queue[i].Release.ID
		return nil, true
	case s.Rollout == nil:
		return nil, false
	case s.Rollout.Version == version && !turnedBack(*s.Rollout):
		return w.at(e), true
	case s.Stable == version && !s.Live():
		return &result{Outcome: string(steps.Promoted), Reason: "promoted before", Percent: 100}, true
	}
	return nil, false
}

// turnedBack reports whether a rollout is on its way back, or has ended without being promoted.
func turnedBack(r steps.Rollout) bool {
	return r.Failure != nil || r.Phase == steps.Ended && r.Outcome != steps.Promoted
}

// earlier is what became of the version before the wait began, where that is known. Without an end there is a rollout to
// follow.
func (w *waiter) earlier(ctx context.Context, r *remote) (end *result, known bool) {
	if w.turnedDown != nil {
		return w.turnedDown, true
	}
	ctx = context.WithoutCancel(ctx)
	e, err := w.last()
	if err == nil && e.State.Rollout != nil && e.State.Rollout.Version == w.rel.Version {
		return w.at(e), true
	}
	all, err := r.reader().History(ctx, w.rel.Slot, mostHistory)
	if i := slices.IndexFunc(all, func(s deployments.Summary) bool { return s.Version == w.rel.Version && s.Phase == steps.Ended }); i >= 0 {
		return w.past(all[i]), true
	}
	if err != nil {
		w.say("what became of earlier releases cannot be read: " + err.Error())
	}
	return nil, false
}

// remember notes what became of a release of the version before the wait began and before it was a rollout.
func (w *waiter) remember(e deployments.Event) {
	if w.before == nil || e.Data.Version != w.rel.Version || e.Data.Rev > w.known {
		return
	}
	switch e.Name {
	case "release.accepted", "release.queued":
		w.turnedDown = nil
	case "release.rejected":
		w.turnedDown = &result{Outcome: "refused", Reason: e.Data.Reason, Exit: exitNotAccepted}
	}
}

// cancelledEarly is the result of a wait that is cancelled before anything is known.
func (w *waiter) cancelledEarly() *result {
	r := w.timedOut()
	r.Outcome = "detached"
	return r
}

// nobody is the result where a release is not taken in.
func (w *waiter) nobody() *result {
	return &result{Outcome: "nobody took it in", Reason: fmt.Sprintf("within %v: was it published, is serin serve running, and is it among the dead letters (`serin dlq list`)?", w.accept), Exit: exitNotAccepted}
}
