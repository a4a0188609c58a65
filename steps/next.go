package steps

import (
	"cmp"
	"reflect"
	"slices"
	"time"
)

// Next is the rollout after an input, and what the world owes it then. It is total and deterministic: the same rollout,
// time and input give the same answer, and an input that means nothing now changes nothing and has no effects.
// The decision to roll back is in guard.go, the way back in revert.go.
func (r Rollout) Next(now time.Time, in Input) (Rollout, []Effect) {
	if r.Phase == Ended || !r.meant(in) {
		return r, nil
	}
	n := r.clone()
	switch in := in.(type) {
	case Tick:
		n = n.tick(now)
	case Applied:
		n = n.applied(now, in)
	case Measured:
		n = n.measured(now, in)
	case Command:
		n = n.command(now, in)
	case Superseded:
		n = n.superseded(now, in)
	}
	if same(r, n) {
		return r, nil
	}
	return n, append(n.Pending(), Announce{Seq: n.Seq, Phase: n.Phase, Reason: Describe(r, n)})
}

// meant reports whether an input is for this rollout. A worker that was frozen may come back with an answer to the one
// before it, which had the same seqs.
func (r Rollout) meant(in Input) bool {
	id := ""
	switch in := in.(type) {
	case Applied:
		id = in.Rollout
	case Measured:
		id = in.Rollout
	case Command:
		id = in.Rollout
	case Tick, Superseded:
	}
	return id == "" || id == r.ID
}

// tick lets deadlines pass.
func (r Rollout) tick(now time.Time) Rollout {
	switch r.Phase {
	case Pending:
		return r.begin(now)
	case Shifting:
		if !now.Before(r.Shifted.Add(r.Plan.ConfirmWithin)) {
			r.Unconfirmed = true
		}
		return r.holdTick(now)
	case Baking, AwaitingApproval, Watching:
		return r.holdTick(now)
	case Reverting:
		return r.revertTick(now)
	case Recovering:
		if !now.Before(r.Since.Add(r.Plan.Recovery)) {
			return r.unrecovered(now)
		}
	case Ended:
	}
	return r
}

// begin leaves the pending phase: at once, or when the new version is ready, or when it was not in time.
func (r Rollout) begin(now time.Time) Rollout {
	if ok, _, _ := r.Plan.MayAdvance(now); !ok {
		if at, known := r.WakeAt(); known && !now.Before(at) {
			r.Since, r.Checking, r.LastError = now, time.Time{}, "" // the window has passed by: wait for the next one
		}
		return r
	}
	switch {
	case r.Plan.ReadyWithin == 0:
		return r.shift(now, 0)
	case r.Checking.IsZero():
		return r.probe(now)
	case !now.Before(r.Checking.Add(r.Plan.ReadyWithin)):
		r.Failure = &FailureState{Cause: NotReady, Reason: "not ready within " + r.Plan.ReadyWithin.String() + ": " + cmp.Or(r.LastError, "no answer"), At: now}
		return r.end(now, NeverExposed, NotReady)
	}
	return r
}

// probe begins to ask whether the new version is ready, where the plan wants it and a step may begin now.
func (r Rollout) probe(now time.Time) Rollout {
	if ok, _, _ := r.Plan.MayAdvance(now); ok && r.Plan.ReadyWithin > 0 {
		r.Since, r.Checking = now, now
	}
	return r
}

// probed takes the answer to a probe. A window that has closed meanwhile begins it anew when it opens.
func (r Rollout) probed(now time.Time, a Applied) Rollout {
	switch ok, _, _ := r.Plan.MayAdvance(now); {
	case a.Target != Ready || r.Checking.IsZero():
		return r
	case !a.Confirmed:
		return r.noteError(a)
	case !ok:
		r.Since, r.Checking, r.LastError = now, time.Time{}, ""
		return r
	}
	return r.shift(now, 0)
}

// shift requests the share and the audience of a step.
func (r Rollout) shift(now time.Time, step int) Rollout {
	r.Phase, r.Since, r.Step = Shifting, now, step
	r.Seq++
	r.Want, r.Audience = r.Plan.Steps[step].Share, r.Plan.AudienceAt(step)
	r.Shifted, r.StepBegan = now, time.Time{}
	r.Held, r.Hold, r.Approved, r.SkipBake = 0, nil, false, false
	r.Checking, r.LastError = time.Time{}, ""
	for i := range r.Rules {
		r.Rules[i].InAStep = 0
	}
	return r
}

// applied takes an answer of the mover, or of a flag that is turned off. An answer to an older request is ignored.
func (r Rollout) applied(now time.Time, a Applied) Rollout {
	if a.Seq != r.Seq {
		return r
	}
	switch r.Phase {
	case Pending:
		return r.probed(now, a)
	case Shifting:
		if a.Target != Traffic {
			return r
		}
		if !a.Confirmed || !r.matches(a.Observed) {
			return r.noteError(a)
		}
		return r.arrive(now)
	case Reverting:
		return r.revertApplied(now, a)
	case Baking, AwaitingApproval, Watching, Recovering, Ended:
	}
	return r
}

// arrive begins a step: its share, or its audience, is confirmed.
func (r Rollout) arrive(now time.Time) Rollout {
	r.Confirmed, r.ConfirmedAudience, r.StepBegan, r.Since = r.Want, r.Audience, now, now
	if r.FirstExposed.IsZero() {
		r.FirstExposed = now
	}
	r.Unconfirmed, r.LastError = false, ""
	r.Phase = r.settled()
	return r
}

// settled is the phase in which a confirmed step waits.
func (r Rollout) settled() Phase {
	if r.Step == len(r.Plan.Steps)-1 {
		return Watching
	}
	return Baking
}

// matches reports whether an observed share is the wanted one, within the plan's tolerance. Nothing left is exactly 0, and
// so is the share beside which an audience is confirmed.
func (r Rollout) matches(observed Share) bool {
	if r.Want == 0 {
		return observed == 0
	}
	return max(observed-r.Want, r.Want-observed) <= r.Plan.Tolerance
}

// noteError remembers the first thing that went wrong with a request. Retries go on without further entries.
func (r Rollout) noteError(a Applied) Rollout {
	switch {
	case r.LastError != "":
	case a.Err != "":
		r.LastError = a.Err
	case a.Confirmed:
		r.LastError = "wanted " + r.Requested() + ", saw " + a.Observed.String()
	}
	return r
}

// command obeys a person.
func (r Rollout) command(now time.Time, c Command) Rollout {
	switch c.Verb {
	case Abort:
		return r.turnBack(now, ByPerson, c.By, c.Reason)
	case Approve:
		if r.Phase == AwaitingApproval {
			r.Approved, r.Phase, r.Since = true, r.settled(), now
		}
	case Promote:
		return r.promote(now, c.Full)
	case Pause:
		r.Paused = r.Paused || r.advancing()
	case Resume:
		r.Paused = false
	case Retry:
		if r.Phase == Shifting || r.Phase == Reverting || !r.Checking.IsZero() {
			r.LastError = ""
			r.Retries++
		}
	}
	return r
}

// promote ends bakes. Rules must still pass in every step, and windows and freezes hold.
func (r Rollout) promote(now time.Time, full bool) Rollout {
	switch {
	case full && (r.Phase == Pending || r.advancing()):
		r.Full = true
		if r.Phase == AwaitingApproval {
			r.Approved, r.Phase, r.Since = true, r.settled(), now
		}
	case r.Phase == Baking || r.Phase == Watching:
		r.SkipBake = true
	}
	return r
}

// superseded makes way for a newer release.
func (r Rollout) superseded(now time.Time, s Superseded) Rollout {
	return r.turnBack(now, BySuperseded, s.By, "superseded by "+s.By)
}

// advancing reports whether the rollout is on its way up.
func (r Rollout) advancing() bool {
	switch r.Phase {
	case Shifting, Baking, AwaitingApproval, Watching:
		return true
	case Pending, Reverting, Recovering, Ended:
	}
	return false
}

// end is the last transition.
func (r Rollout) end(now time.Time, o Outcome, c Cause) Rollout {
	r.Phase, r.Since, r.EndedAt, r.Outcome, r.Cause = Ended, now, now, o, c
	r.Hold, r.Paused, r.Unconfirmed, r.LastError = nil, false, false, ""
	return r
}

// clone copies what Next may write to.
func (r Rollout) clone() Rollout {
	r.Rules = slices.Clone(r.Rules)
	if r.Hold != nil {
		h := *r.Hold
		r.Hold = &h
	}
	if r.Failure != nil {
		f := *r.Failure
		f.Actions = slices.Clone(f.Actions)
		r.Failure = &f
	}
	return r
}

// same reports whether two rollouts of one plan are equal.
func same(a, b Rollout) bool {
	a.Plan, b.Plan = Plan{}, Plan{}
	return reflect.DeepEqual(a, b)
}
