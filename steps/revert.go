package steps

import (
	"cmp"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// fail turns back because rules say so: with the plan's own actions.
func (r Rollout) fail(now time.Time, c Cause, failed []string, reason string) Rollout {
	return r.revert(now, FailureState{Cause: c, Rules: failed, Reason: reason}, r.Plan.Failure.Do)
}

// turnBack makes the new version lose its traffic because a person or a newer release wants it so. It works in every
// phase; where only features were turned off so far, the release is taken back as well.
func (r Rollout) turnBack(now time.Time, c Cause, by, reason string) Rollout {
	switch {
	case r.Phase == Pending:
		r.Failure = &FailureState{Cause: c, By: by, Reason: reason, At: now}
		return r.end(now, NeverExposed, c)
	case r.advancing():
		return r.revert(now, FailureState{Cause: c, By: by, Reason: reason}, []Action{{Kind: RollbackAction}})
	case !r.takenBack():
		return r.act(now, []Action{{Kind: RollbackAction}}, cmp.Or(reason, "asked by "+cmp.Or(by, string(c))))
	case r.Phase == Recovering:
		return r.end(now, Restored, r.Failure.Cause)
	}
	return r
}

// revert begins the way back.
func (r Rollout) revert(now time.Time, f FailureState, do []Action) Rollout {
	f.At, f.FromShare, f.FromAudience = now, r.Want, r.Audience
	r.Failure = &f
	r.Hold, r.Paused = nil, false
	return r.act(now, do, "")
}

// act takes actions, and drops whatever else was asked of the world: a new Seq makes older answers stale.
func (r Rollout) act(now time.Time, do []Action, because string) Rollout {
	r.Phase, r.Since, r.Shifted = Reverting, now, now
	r.Seq++
	r.Unconfirmed, r.LastError, r.Outcome = false, "", ""
	r.Failure.Else = because
	for _, a := range do {
		s := ActionState{Action: a, Began: now}
		if a.Kind == PublishEvent {
			s.Confirmed, s.How = now, "published"
		}
		if a.Kind == RollbackAction {
			r.Want, r.Audience = 0, nil
		}
		r.Failure.Actions = append(r.Failure.Actions, s)
	}
	return r.reverted(now)
}

// takenBack reports whether the release itself is on its way back, and not only a feature.
func (r Rollout) takenBack() bool {
	return r.Failure != nil && slices.ContainsFunc(r.Failure.Actions, func(a ActionState) bool { return a.Kind == RollbackAction })
}

// revertApplied takes the answer to an action.
func (r Rollout) revertApplied(now time.Time, a Applied) Rollout {
	for i, s := range r.Failure.Actions {
		if s.target() != a.Target || !s.Confirmed.IsZero() {
			continue
		}
		if !a.Confirmed || a.Observed != 0 {
			return r.noteError(a)
		}
		s.Confirmed, s.How = now, a.How
		r.Failure.Actions[i] = s
		if a.Target == Traffic {
			r.Confirmed, r.ConfirmedAudience = 0, nil
		}
	}
	return r.reverted(now)
}

// revertTick is what happens when an action is not confirmed in time: the else actions, or a page. Either way the
// action goes on being tried.
func (r Rollout) revertTick(now time.Time) Rollout {
	if r.Unconfirmed || now.Before(r.Since.Add(r.Plan.ConfirmWithin)) {
		return r
	}
	if r.mayElse() {
		return r.act(now, r.Plan.Failure.Else, "not confirmed within "+r.Plan.ConfirmWithin.String())
	}
	r.Unconfirmed, r.Outcome, r.Cause = true, RestoreUnconfirmed, r.Failure.Cause
	return r
}

// mayElse reports whether the plan's else actions are still to be had.
func (r Rollout) mayElse() bool {
	return r.Failure.Else == "" && r.Failure.Cause != ByPerson && r.Failure.Cause != BySuperseded && len(r.Plan.Failure.Else) > 0
}

// reverted goes on once the actions are confirmed. A feature that an earlier stage could not turn off no longer matters
// when the release itself has been taken back.
func (r Rollout) reverted(now time.Time) Rollout {
	for _, s := range r.Failure.Actions {
		moot := s.Kind == FlagOff && s.Began.Before(r.Since) && r.takenBack()
		if s.Confirmed.IsZero() && !moot {
			return r
		}
	}
	r.Unconfirmed, r.LastError, r.Outcome = false, "", ""
	r.Phase, r.Since = Recovering, now
	if len(r.Failure.Rules) == 0 || r.Plan.Recovery == 0 || r.Failure.Cause == ByHoldTimeout || r.takenBack() && r.Stable == "" {
		return r.end(now, Restored, r.Failure.Cause)
	}
	return r
}

// recovered waits until the failed rules are healthy again: that, and not the switch, is when service is restored.
func (r Rollout) recovered(now time.Time, m Measured) Rollout {
	if !r.takenBack() {
		r = r.remember(m)
		if others, _ := r.failed(m); slices.ContainsFunc(others, func(name string) bool { return !slices.Contains(r.Failure.Rules, name) }) {
			return r.act(now, r.otherwise(), "flag off did not help: "+reasons(m, others))
		}
	}
	all := true
	for i, s := range r.Rules {
		if !slices.Contains(r.Failure.Rules, s.Rule) {
			continue
		}
		j, _ := find(m.Verdicts, s.Rule)
		if j.Verdict == analysis.Healthy && !j.Reading.At.Before(r.Since) {
			r.Rules[i].Recovered = true
		}
		all = all && r.Rules[i].Recovered
	}
	if !all {
		return r
	}
	r.Failure.Restored = now
	return r.end(now, Restored, r.Failure.Cause)
}

// unrecovered is the end of the recovery time. If only a feature was turned off, that did not help.
func (r Rollout) unrecovered(now time.Time) Rollout {
	if !r.takenBack() && r.mayElse() {
		return r.act(now, r.Plan.Failure.Else, "flag off did not help")
	}
	return r.end(now, Restored, r.Failure.Cause)
}

// otherwise is what follows when turning a feature off was not enough while the release still has traffic.
func (r Rollout) otherwise() []Action {
	if r.mayElse() {
		return r.Plan.Failure.Else
	}
	return []Action{{Kind: RollbackAction}}
}

// target is what an action changes; "" if it only tells.
func (a Action) target() Target {
	switch a.Kind {
	case RollbackAction:
		return Traffic
	case FlagOff:
		return FlagTarget(a.Key)
	case PublishEvent:
	}
	return ""
}
