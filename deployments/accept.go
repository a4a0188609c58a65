package deployments

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Answer is what becomes of a release.
type Answer string

// The answers.
const (
	Accepted   Answer = "accepted"   // a rollout begins
	Duplicate  Answer = "duplicate"  // it runs, waits or is promoted already
	Supersedes Answer = "supersedes" // it waits until the rollout under way is taken back
	Waits      Answer = "waits"      // it waits for a rollback that is under way, and is the only one that waits
	Queues     Answer = "queues"     // it waits behind the rollout under way, and behind those that wait already
	Outdated   Answer = "outdated"   // one that was published later was taken in before it
	Rejected   Answer = "rejected"   // it cannot be rolled out as things stand
)

// OnNewRelease is what a policy says about a release for a slot that is in the middle of a rollout.
type OnNewRelease string

// The ways to meet it.
const (
	Supersede OnNewRelease = "supersede" // take the one under way back, and begin the new one then
	Queue     OnNewRelease = "queue"     // begin the new one when the one under way has ended
	TurnAway  OnNewRelease = "refuse"    // turn the new one away
)

// Judge decides what becomes of a release, without changing anything.
func (s State) Judge(rel Release, mode OnNewRelease) (Answer, string) {
	for _, q := range s.Queue {
		if q.Release.ID == rel.ID || q.Release.Version == rel.Version {
			return Duplicate, rel.Version + " waits for the slot already"
		}
	}
	later, late := s.laterThan(rel)
	switch {
	case s.Rollout == nil:
		return Accepted, ""
	case s.Release != nil && s.Release.ID == rel.ID && !s.again(rel):
		return Duplicate, "this release was taken in before, as " + s.Rollout.ID
	case late:
		return Outdated, later + " was published after " + rel.Version + " and taken in before it"
	case len(s.Queue) > 0 && !s.Live():
		return s.meet(rel, mode) // the one that waits is about to begin
	case s.Stable == rel.Version && !s.Live():
		return Duplicate, rel.Version + " is promoted already"
	case !s.Live():
		return Accepted, ""
	}
	return s.meet(rel, mode)
}

// again reports whether the slot's last release was published once more after it was taken back: a new attempt. The
// same message, delivered twice, is none.
func (s State) again(rel Release) bool {
	return !s.Live() && s.Rollout.Outcome != steps.Promoted && s.Release.Order.Before(rel.Order)
}

// laterThan is the version of a release that the slot has taken in, and that was published after this one.
func (s State) laterThan(rel Release) (version string, late bool) {
	taken := make([]Release, 0, 1+len(s.Queue))
	if s.Release != nil {
		taken = append(taken, *s.Release)
	}
	for _, q := range s.Queue {
		taken = append(taken, q.Release)
	}
	for _, t := range taken {
		if rel.Order.Seq > 0 && rel.Order.Before(t.Order) {
			return t.Version, true
		}
	}
	return "", false
}

// meet decides about a release for a slot that is in the middle of a rollout.
func (s State) meet(rel Release, mode OnNewRelease) (Answer, string) {
	switch {
	case s.Live() && s.Rollout.Failure == nil && s.Rollout.Version == rel.Version:
		return Duplicate, rel.Version + " is under way already, as " + s.Rollout.ID
	case mode == TurnAway:
		return Rejected, s.Rollout.Version + " is under way, and the policy says on_new_release: refuse"
	case mode == Queue && len(s.Queue) >= MaxQueue:
		return Rejected, fmt.Sprintf("%d releases wait for %s already", len(s.Queue), s.Rollout.Version)
	case mode == Queue:
		return Queues, "waits for the end of " + s.Rollout.Version
	case !s.Live():
		return Waits, "waits for the slot"
	case s.Rollout.Failure != nil:
		return Waits, "waits for the rollback of " + s.Rollout.Version
	}
	return Supersedes, "supersedes " + s.Rollout.Version
}

// Take is the slot after a release was judged. A rejected or doubled release changes nothing but is written all the
// same, so that the answer is on record.
func (s State) Take(rel Release, a Answer, p Policy, now time.Time) (State, error) {
	switch a {
	case Accepted:
		return s.begin(Queued{Release: rel, Policy: p.Hash, At: now}, p, now)
	case Queues:
		s.Queue = append(slices.Clone(s.Queue), Queued{Release: rel, Policy: p.Hash, At: now})
	case Supersedes, Waits:
		s.Queue = []Queued{{Release: rel, Policy: p.Hash, At: now}} // the newest release wins the slot
		next, _ := s.Rollout.Next(now, steps.Superseded{By: rel.Version})
		s.Rollout = &next
		return s.advanced(), nil
	case Duplicate, Outdated, Rejected:
	}
	return s, nil
}

// begin makes the rollout of a release the slot's own.
func (s State) begin(q Queued, p Policy, now time.Time) (State, error) {
	s.Generation++
	r, err := steps.NewRollout(rolloutID(q.Release, s.Generation), q.Release.Environment, q.Release.Service,
		q.Release.Version, s.Stable, p.Plan, now)
	if err != nil {
		return State{}, fmt.Errorf("begin the rollout of %s %s: %w", q.Release.Slot, q.Release.Version, err)
	}
	s.Rollout, s.Release, s.Policy, s.Source, s.Accounts = &r, &q.Release, q.Policy, p.sourceURL(), p.accounts()
	return s, nil
}

// advanced keeps what the slot knows in step with its rollout.
func (s State) advanced() State {
	if s.Rollout != nil && s.Rollout.Outcome == steps.Promoted {
		s.Stable = s.Rollout.Version
	}
	return s
}

// NextQueued is the release that may begin now: the slot has none under way.
func (s State) NextQueued() (Queued, bool) {
	if s.Live() || len(s.Queue) == 0 {
		return Queued{}, false
	}
	return s.Queue[0], true
}

// Dequeue begins the first waiting release; rejected, it is only taken out of the queue.
func (s State) Dequeue(p Policy, a Answer, now time.Time) (State, error) {
	q := s.Queue[0]
	s.Queue = append([]Queued(nil), s.Queue[1:]...)
	if a != Accepted {
		return s, nil
	}
	return s.begin(q, p, now)
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// rolloutID names a rollout: readable, and unlike any other of any slot.
func rolloutID(rel Release, generation uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", rel.Slot, rel.ID, generation))
	version := notInID.ReplaceAllString(rel.Version, "-")
	return rel.Service + "-" + version[:min(len(version), 64)] + "-" + hex.EncodeToString(sum[:4])
}
