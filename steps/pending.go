package steps

import "time"

// Pending is the work r waits for. It follows from the state alone, so that a restarted worker just asks again.
func (r Rollout) Pending() []Effect {
	var out []Effect
	switch r.Phase {
	case Pending:
		if !r.Checking.IsZero() {
			out = append(out, Probe{Seq: r.Seq})
		}
	case Shifting:
		out = append(out, r.expose(Traffic))
		if m, ok := r.measure(); ok {
			out = append(out, m)
		}
	case Baking, AwaitingApproval, Watching:
		m, _ := r.measure()
		out = append(out, m)
	case Reverting:
		for _, a := range r.Failure.Actions {
			if t := a.target(); t != "" && a.Confirmed.IsZero() {
				out = append(out, r.expose(t))
			}
		}
	case Recovering:
		out = append(out, r.measureRecovery())
	case Ended:
	}
	return out
}

func (r Rollout) expose(t Target) Expose {
	e := Exposure{Version: r.Version, Stable: r.Stable, Kill: r.Failure != nil}
	if t == Traffic {
		e.Share, e.Audience = r.Want, r.Audience
	}
	return Expose{Seq: r.Seq, Target: t, Exposure: e}
}

// measure asks for all rules. Before the first share is confirmed there is nothing to measure, unless its confirmation
// is overdue: then the new version may well have traffic, and is watched from the request on.
func (r Rollout) measure() (Measure, bool) {
	m := Measure{Seq: r.Seq, Since: r.FirstExposed, Inside: r.StepBegan}
	if m.Since.IsZero() {
		if !r.Unconfirmed {
			return Measure{}, false
		}
		m.Since = r.Shifted
	}
	if m.Inside.IsZero() {
		m.Inside = r.Shifted
	}
	for i, t := range r.Plan.Rules {
		m.Rules = append(m.Rules, t.Rule)
		if r.Rules[i].Seen {
			m.Seen = append(m.Seen, t.Rule)
		}
	}
	return m, true
}

// measureRecovery asks for the failed rules of what now serves the users; or, while the release still has its traffic
// and only a feature was turned off, for all rules.
func (r Rollout) measureRecovery() Measure {
	m := Measure{Seq: r.Seq, Since: r.Since, Inside: r.Since}
	if r.takenBack() {
		m.Rules, m.Stable = r.Failure.Rules, true
		return m
	}
	for _, t := range r.Plan.Rules {
		m.Rules = append(m.Rules, t.Rule)
	}
	return m
}

// WakeAt is when time alone will change r. It is false when nothing is waited for, or only an answer.
func (r Rollout) WakeAt() (time.Time, bool) {
	switch r.Phase {
	case Pending:
		if !r.Checking.IsZero() {
			return r.Checking.Add(r.Plan.ReadyWithin), true
		}
		return r.Plan.advanceFrom(r.Since)
	case Shifting:
		at, ok := r.holdWakeAt()
		if confirm := r.Shifted.Add(r.Plan.ConfirmWithin); !r.Unconfirmed && (!ok || confirm.Before(at)) {
			return confirm, true
		}
		return at, ok
	case Baking, AwaitingApproval, Watching:
		return r.holdWakeAt()
	case Reverting:
		return r.Since.Add(r.Plan.ConfirmWithin), !r.Unconfirmed
	case Recovering:
		return r.Since.Add(r.Plan.Recovery), true
	case Ended:
	}
	return time.Time{}, false
}

// holdWakeAt is when a hold is told, or becomes a failure.
func (r Rollout) holdWakeAt() (time.Time, bool) {
	if r.Hold == nil {
		return time.Time{}, false
	}
	at, ok := r.failHoldAt()
	if tell := r.tellHoldAt(); !r.Hold.Told && (!ok || tell.Before(at)) {
		return tell, true
	}
	return at, ok
}
