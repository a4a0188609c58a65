//go:build unix

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/steps"
)

// play releases what the script has, slot by slot side by side. It is true when every slot came to its end.
func (w *world) play(ctx context.Context) (complete bool, err error) {
	journal, err := jetstream.OpenJournal(ctx, w.js, jetstream.Names{}, nil)
	if err != nil {
		return false, err
	}
	b := newBoard(w.script)
	following, stop := context.WithCancel(ctx)
	defer stop()
	if err := b.follow(following, journal); err != nil {
		return false, err
	}
	var slots sync.WaitGroup
	over := make(chan bool, len(w.script.Slots))
	for i, s := range w.script.Slots {
		slots.Go(func() {
			wait := w.ramp * time.Duration(i) / time.Duration(len(w.script.Slots))
			over <- pause(ctx, wait) && w.slot(ctx, b, s)
		})
	}
	slots.Wait()
	complete = true
	for range w.script.Slots {
		complete = <-over && complete
	}
	return complete, nil
}

// slot plays one slot.
func (w *world) slot(ctx context.Context, b *board, s chaos.Slot) bool {
	for i, r := range s.Releases {
		if !w.publish(ctx, s, r) {
			return false
		}
		doubled := i+1 < len(s.Releases) && s.Releases[i+1].End == chaos.Duplicate
		ok := false
		switch r.End {
		case chaos.Duplicate:
			ok = b.until(ctx, s.Service, func(deployments.Entry) bool { return b.answered[r.ID] }) &&
				b.until(ctx, s.Service, ended(s.Releases[i-1]))
		case chaos.Promoted, chaos.Failed:
			ok = doubled && b.until(ctx, s.Service, begun(r)) || b.until(ctx, s.Service, ended(r))
		case chaos.Aborted:
			ok = b.until(ctx, s.Service, at(r)) && w.abort(ctx, b, s, r) && b.until(ctx, s.Service, ended(r))
		case chaos.Superseded:
			ok = b.until(ctx, s.Service, at(r))
		}
		if !ok {
			return false
		}
	}
	return true
}

// publish publishes a release until NATS has it: the id makes it the same one.
func (w *world) publish(ctx context.Context, s chaos.Slot, r chaos.Release) bool {
	rel := deployments.Release{Slot: slotOf(s), ID: r.ID, Version: r.Version, Author: "chaos"}
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, _, err := jetstream.PublishRelease(once, w.js, jetstream.Names{}, rel)
		cancel()
		if err == nil {
			return true
		}
		if !pause(ctx, 200*time.Millisecond) {
			return false
		}
	}
}

// abort orders the way back until the journal has it.
func (w *world) abort(ctx context.Context, b *board, s chaos.Slot, r chaos.Release) bool {
	client := jetstream.Client{Conn: w.nc, Timeout: 2 * time.Second}
	order := steps.Command{Rollout: b.rollout(s.Service), By: "chaos", Reason: fmt.Sprintf("the script ends %s", r.ID)}
	for {
		_, _ = client.Command(ctx, slotOf(s), string(steps.Abort), order) // a worker that is frozen obeys it later: it names its rollout
		soon, cancel := context.WithTimeout(ctx, 2*time.Second)
		ok := b.until(soon, s.Service, func(e deployments.Entry) bool { return of(e, r) && e.State.Rollout.Failure != nil })
		cancel()
		if ok || ctx.Err() != nil {
			return ok
		}
	}
}

func slotOf(s chaos.Slot) deployments.Slot {
	return deployments.Slot{Environment: chaos.Environment, Service: s.Service}
}

// of reports whether the slot's rollout is the release's.
func of(e deployments.Entry, r chaos.Release) bool {
	return e.State.Release != nil && e.State.Release.ID == r.ID && e.State.Rollout != nil
}

func begun(r chaos.Release) func(deployments.Entry) bool {
	return func(e deployments.Entry) bool { return of(e, r) && !e.State.Rollout.FirstExposed.IsZero() }
}

func ended(r chaos.Release) func(deployments.Entry) bool {
	return func(e deployments.Entry) bool { return of(e, r) && !e.State.Live() }
}

// at reports whether the rollout waits at the step at which somebody must end it.
func at(r chaos.Release) func(deployments.Entry) bool {
	return func(e deployments.Entry) bool {
		return of(e, r) && e.State.Rollout.Step == r.Step-1 && (e.State.Rollout.Phase == steps.Baking || e.State.Rollout.Phase == steps.Watching)
	}
}
