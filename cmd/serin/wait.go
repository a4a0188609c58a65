package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/steps"
)

// heartbeat is how often a line is printed while nothing happens, so that CI does not take the job for dead.
const heartbeat = time.Minute

// waiter follows one release to its end.
type waiter struct {
	env         Env
	flags       releaseFlags
	client      jetstream.Client
	begin       time.Time
	rollout     string // once it is accepted
	unconfirmed bool
	turned      string // why the rollout turned back, once it has
	last        deployments.Event
}

// deadLetters hears of the release's dead letter, if there will be one.
func (r *remote) deadLetters(s deployments.Slot, id string) (<-chan *nats.Msg, error) {
	out := make(chan *nats.Msg, 1)
	_, err := r.nc.Subscribe(r.names.Subject("refused", s.Subject()), func(m *nats.Msg) {
		if got, err := url.PathUnescape(m.Header.Get(jetstream.HeaderID)); err == nil && got == id {
			select {
			case out <- m:
			default:
			}
		}
	})
	if err == nil {
		err = r.nc.Flush()
	}
	return out, err
}

// wait follows events until the rollout has ended. Transient states never end it; Ctrl-C leaves the rollout alone.
func (w *waiter) wait(ctx context.Context, events jetstream.Events, from uint64, letters <-chan *nats.Msg) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heard, failed := w.follow(ctx, events, from)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	accept := time.After(w.flags.accept)
	var timeout <-chan time.Time
	if w.flags.timeout > 0 {
		timeout = time.After(w.flags.timeout)
	}
	for {
		select {
		case e := <-heard:
			if end, code := w.hear(e); end != nil {
				return w.finish(*end, code)
			}
		case m := <-letters:
			why, _ := url.PathUnescape(m.Header.Get(jetstream.HeaderReason))
			return w.finish(result{Outcome: "refused", Reason: why}, exitNotAccepted)
		case <-accept:
			if w.last.Name == "" {
				return w.finish(result{Outcome: "nobody took it in", Reason: fmt.Sprintf("within %v: is serin serve running?", w.flags.accept)}, exitNotAccepted)
			}
		case <-timeout:
			return w.finish(w.timedOut())
		case <-beat.C:
			w.beat()
		case err := <-failed:
			if ctx.Err() != nil {
				return w.finish(result{Outcome: "detached", Reason: "the rollout goes on"}, exitTimeout)
			}
			return err
		}
	}
}

// follow hears the slot's events.
func (w *waiter) follow(ctx context.Context, events jetstream.Events, from uint64) (<-chan deployments.Event, <-chan error) {
	heard, failed := make(chan deployments.Event), make(chan error, 1)
	go func() {
		failed <- events.Follow(ctx, jetstream.Filter{Slot: w.flags.rel.Slot}, from, func(_ uint64, e deployments.Event) error {
			select {
			case heard <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return heard, failed
}

func (w *waiter) timedOut() (result, int) {
	if w.unconfirmed {
		return result{Outcome: "not confirmed", Reason: "the way back is still being tried"}, exitUnconfirmed
	}
	return result{Outcome: "timed out", Reason: "the rollout goes on"}, exitTimeout
}

func (w *waiter) beat() {
	if w.flags.output == "text" {
		fmt.Fprintf(w.env.Stdout, "%s  still going: %s\n", w.env.Now().UTC().Format(time.TimeOnly), clean(notify.Text(w.last)))
	}
}

// hear takes an event. It returns how it ended, once it has.
func (w *waiter) hear(e deployments.Event) (*result, int) {
	if end, code := w.turnedAway(e); end != nil {
		return end, code
	}
	if !w.concerns(e) {
		return nil, 0
	}
	w.last = e
	if w.flags.output == "text" {
		fmt.Fprintf(w.env.Stdout, "%s  %s\n", e.Time.UTC().Format(time.TimeOnly), clean(notify.Text(e)))
	}
	w.note(e)
	if e.Data.Phase != steps.Ended || e.Data.Rollout != w.rollout {
		return nil, 0
	}
	r, code := ended(e.Data)
	r.Reason = cmp.Or(w.turned, r.Reason)
	return r, code
}

func (w *waiter) mine(e deployments.Event) bool { return e.Data.Release == w.flags.rel.ID }

// turnedAway is the end of a release that never became a rollout.
func (w *waiter) turnedAway(e deployments.Event) (*result, int) {
	switch {
	case e.Name == "release.rejected" && w.mine(e):
		return &result{Outcome: "refused", Reason: e.Data.Reason}, exitNotAccepted
	case e.Name == "release.superseded" && w.mine(e) && e.Data.Target != "":
		return &result{Outcome: "superseded", Reason: e.Data.Reason}, exitSuperseded
	}
	return nil, 0
}

// concerns reports whether an event is about the release or its rollout, which it notes when it is accepted.
func (w *waiter) concerns(e deployments.Event) bool {
	switch {
	case e.Name == "release.accepted" && w.mine(e):
		w.rollout = e.Data.Rollout
		return true
	case e.Name == "release.duplicate" && w.mine(e):
		w.rollout = cmp.Or(w.rollout, e.Data.Rollout) // the one this release is a duplicate of
		return true
	case e.Name == "release.queued" && w.mine(e):
		return true
	}
	return w.rollout != "" && e.Data.Rollout == w.rollout && e.Name != ""
}

// note remembers what the end of the rollout will not say any more.
func (w *waiter) note(e deployments.Event) {
	switch e.Name {
	case "rollback.failed":
		w.unconfirmed = true
	case "rollout.failed", "rollout.aborted", "rollout.not_ready", "release.superseded":
		w.turned = e.Data.Reason
	}
}

// ended is the result and the exit status of a rollout that is over.
func ended(d deployments.EventData) (*result, int) {
	r := &result{Outcome: string(d.Outcome), Cause: string(d.Cause), Reason: d.Reason, Percent: cmp.Or(d.FromPercent, d.Percent)}
	switch {
	case d.Outcome == steps.Promoted:
		return r, exitOK
	case d.Outcome == steps.RestoreUnconfirmed:
		return r, exitUnconfirmed
	case d.Cause == steps.ByPerson:
		return r, exitAborted
	case d.Cause == steps.BySuperseded:
		return r, exitSuperseded
	case d.Cause == steps.NotReady:
		return r, exitNotAccepted
	}
	return r, exitRolledBack
}
