package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/internal/lab/service"
	"github.com/serin-cd/serin/steps"
)

const (
	demoWarmUp = 2 * time.Second  // of users before the first release, at the usual speed
	demoLimit  = time.Minute      // that one release may take at the usual speed, beyond which something is wrong
	demoAlert  = 15 * time.Second // that a Slack message may take
)

// play releases the three versions, one after the other, and notes what became of them.
func (s *stage) play(ctx context.Context, result *demoResult) error {
	begin := s.env.Now()
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{stage: s, events: make(chan deployments.Event)}
	var following sync.WaitGroup
	following.Go(func() { f.run(ctx) })
	defer func() { cancel(); following.Wait() }()
	if err := pause(ctx, faster(demoWarmUp, s.o.speed)); err != nil {
		return err
	}
	for _, act := range []struct {
		version string
		fault   service.Fault
	}{{"1.1.0", service.Fault{}}, {"1.2.0", demoFaults()[s.o.fault].Fault}, {"1.2.1", service.Fault{}}} {
		release, err := s.release(ctx, f, act.version, act.fault)
		if err != nil {
			return fmt.Errorf("release %s: %w", act.version, err)
		}
		result.Releases = append(result.Releases, release)
	}
	for _, r := range result.Releases { // late ones are counted too
		if r.demoFailure != nil {
			r.CanaryAfterOff = s.load.Tally.After(r.Version, r.Off)
		}
	}
	var weights []float64
	for _, step := range s.policy.Plan.Steps {
		weights = append(weights, step.Share.Percent())
	}
	result.Why = unexpected(s.o.fault, result.Releases, weights)
	result.OK = result.Why == ""
	result.SlackMessages = s.slack.count()
	result.Seconds = s.env.Now().Sub(begin).Round(time.Millisecond).Seconds()
	return nil
}

// release runs a version, tells Serin about it as CI would, and waits for the end of its rollout.
func (s *stage) release(ctx context.Context, f *follower, version string, fault service.Fault) (demoRelease, error) {
	if err := s.world.Service.Start(ctx, version, fault); err != nil {
		return demoRelease{}, err
	}
	s.screen.title(version)
	rel := deployments.Release{Slot: s.policy.Slot, Version: version, Author: "demo"}
	if _, _, err := jetstream.PublishRelease(ctx, s.js, s.daemon.names, rel); err != nil {
		return demoRelease{}, err
	}
	last, err := f.end(ctx, version)
	if err != nil {
		return demoRelease{}, err
	}
	s.alerted(ctx, last) // so that what is shown is in order
	journal, err := jetstream.OpenJournal(ctx, s.js, s.daemon.names, nil)
	if err != nil {
		return demoRelease{}, err
	}
	entries, err := journal.History(ctx, s.policy.Slot)
	if err != nil {
		return demoRelease{}, err
	}
	out := releaseOf(version, entries)
	if out.demoFailure != nil {
		s.complete(ctx, f, out)
	}
	return out, nil
}

// complete adds to a failure what is not in the journal: what users, subscribers and Slack saw.
func (s *stage) complete(ctx context.Context, f *follower, r demoRelease) {
	r.suffered(s.world.Service.FirstBad(r.Version), s.sight.goneAt(r.Version, r.Decided))
	_, r.RollbackEvent = f.find(r.Rollout, "rollback.requested")
	if failed, ok := f.find(r.Rollout, "rollout.failed"); ok {
		r.SlackAlert = s.alerted(ctx, failed)
	}
}

// alerted waits for the Slack message about an event; there is not one for every event.
func (s *stage) alerted(ctx context.Context, e deployments.Event) bool {
	ctx, cancel := context.WithTimeout(ctx, demoAlert)
	defer cancel()
	return s.slack.await(ctx, e)
}

// follower reads the public events of the service, as anybody may.
type follower struct {
	*stage
	events chan deployments.Event
	seen   []deployments.Event // those that end has taken
}

func (f *follower) run(ctx context.Context) {
	err := jetstream.Events{JS: f.js, Names: f.daemon.names}.Follow(ctx, jetstream.Filter{}, 0, func(_ uint64, e deployments.Event) error {
		if e.ID == "" || e.Slot != f.policy.Slot { // all that was stored is read, or it is another's
			return nil
		}
		select {
		case f.events <- e:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if ctx.Err() == nil {
		f.fail(fmt.Errorf("follow events: %w", err))
	}
}

// end waits for the last event of a version's rollout, and shows what happens until then.
func (f *follower) end(ctx context.Context, version string) (deployments.Event, error) {
	limit := max(faster(demoLimit, f.o.speed), 30*time.Second)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case e := <-f.events:
			f.seen = append(f.seen, e)
			f.screen.event(e)
			if e.Data.Version == version && demoOver(e) {
				return e, nil
			}
		case err := <-f.failed:
			return deployments.Event{}, err
		case <-timer.C:
			return deployments.Event{}, fmt.Errorf("has not ended within %v; with --keep there is a log in the data directory", limit)
		case <-ctx.Done():
			return deployments.Event{}, ctx.Err()
		}
	}
}

// demoOver reports whether an event is the last of its rollout.
func demoOver(e deployments.Event) bool {
	switch e.Name {
	case "release.rejected":
		return true
	case "rollout.promoted", "rollout.restored", "rollout.aborted":
		return e.Data.Phase == steps.Ended
	}
	return false
}

// find is a rollout's event of that name, if it was seen on the stream.
func (f *follower) find(rollout, name string) (deployments.Event, bool) {
	for _, e := range f.seen {
		if e.Data.Rollout == rollout && e.Name == name {
			return e, true
		}
	}
	return deployments.Event{}, false
}

var errPaused = errors.New("stopped")

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errPaused
	}
}
