package deployments

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Decide is the slot's next entry after an input of its rollout. It is false when nothing changes: then nothing is
// written. Writing is left to the caller; By and Op are its own.
func (e Entry) Decide(now time.Time, in steps.Input) (Entry, bool, error) {
	if e.State.Rollout == nil {
		return e, false, nil
	}
	r, effects := e.State.Rollout.Next(now, in)
	if len(effects) == 0 {
		return e, false, nil
	}
	next := e.following(now)
	next.State.Rollout = &r
	next.State = next.State.advanced()
	next.Rollout, next.Seq = r.ID, r.Seq
	next.Evidence = evidenceOf(in)
	next.Note = steps.Describe(*e.State.Rollout, r)
	var err error
	next.Input, err = EncodeInput(in)
	return next, true, err
}

// Admit is the slot's next entry after a release, or after one that has waited.
func (e Entry) Admit(now time.Time, rel Release, a Answer, why string, p Policy, waited bool) (Entry, error) {
	next := e.following(now)
	var err error
	if waited {
		next.State, err = e.State.Dequeue(p, a, now)
	} else {
		next.State, err = e.State.Take(rel, a, p, now)
	}
	if err != nil {
		return e, err
	}
	if r := next.State.Rollout; r != nil {
		next.Rollout, next.Seq = r.ID, r.Seq
	}
	next.Note = fmt.Sprintf("release %s %s", rel.Version, a)
	if why != "" {
		next.Note += ": " + why
	}
	if next.Input, err = encode(kindReleased, Released{Release: rel, Answer: a, Why: why}); err != nil {
		return e, err
	}
	return next, nil
}

// following is the frame of the entry after e.
func (e Entry) following(now time.Time) Entry {
	return Entry{V: EntryVersion, Logic: Logic, Slot: e.Slot, Rollout: e.Rollout, Rev: e.Rev + 1, Seq: e.Seq, At: now,
		State: e.State, After: e.Sequence}
}

// Refused reports whether the entry turned the release of that id away.
func (e Entry) Refused(release string) bool {
	r, ok := e.released()
	return ok && r.Answer == Rejected && r.Release.ID == release
}

// released is the entry's release, where it took one in.
func (e Entry) released() (Released, bool) {
	var k kinded
	if json.Unmarshal(e.Input, &k) != nil || k.Kind != kindReleased {
		return Released{}, false
	}
	var r Released
	return r, json.Unmarshal(e.Input, &r) == nil
}
