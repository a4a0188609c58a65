package deployments

import (
	"slices"

	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// wayBack tells of the decision to turn back, of what is done, and of what is confirmed.
func (t *teller) wayBack(was, r steps.Rollout) {
	if r.Failure == nil {
		return
	}
	if was.Failure == nil {
		t.turned(r)
		was.Failure = &steps.FailureState{}
	}
	for i, a := range r.Failure.Actions {
		old := steps.ActionState{}
		if i < len(was.Failure.Actions) {
			old = was.Failure.Actions[i]
		} else {
			t.action(a, r)
		}
		if !a.Confirmed.IsZero() && old.Confirmed.IsZero() {
			t.confirmed(a)
		}
	}
	if r.Unconfirmed && !was.Unconfirmed {
		t.tell("rollback.failed", Page, "", t.e.Note).Data.Target = r.Plan.Mover.Key
	}
}

func (t *teller) turned(r steps.Rollout) {
	if r.Outcome == steps.NeverExposed {
		return // there is no way back to tell of
	}
	name, severity := "rollout.failed", Warning
	switch r.Failure.Cause {
	case steps.ByPerson:
		name = "rollout.aborted"
	case steps.BySuperseded:
		name, severity = "release.superseded", Info
	case steps.ByRules, steps.ByLostData, steps.ByHoldTimeout, steps.NotReady:
		severity = failureSeverity(r)
	}
	ev := t.tell(name, severity, "", r.Failure.Reason)
	ev.Data.Evidence = worstFirst(t.e.Evidence)
	ev.Data.Percent, ev.Data.Audience = r.Failure.FromShare.Percent(), r.Failure.FromAudience
}

// failureSeverity is that of the gravest rule that failed.
func failureSeverity(r steps.Rollout) Severity {
	for _, t := range r.Plan.Rules {
		if t.Severity == rules.Critical && slices.Contains(r.Failure.Rules, t.Rule) {
			return Page
		}
	}
	return Warning
}

// action tells that something is being done.
func (t *teller) action(a steps.ActionState, r steps.Rollout) {
	switch a.Kind {
	case steps.RollbackAction:
		severity := Info
		if r.Stable == "" {
			severity = Page // nothing to go back to
		}
		ev := t.tell("rollback.requested", severity, "", r.Failure.Reason)
		ev.Subject = "rollback." + t.e.Slot.Subject()
		ev.Data.Evidence = worstFirst(t.e.Evidence)
		ev.Data.From = r.Version
		ev.Data.To = BackTo(r.Stable)
	case steps.PublishEvent:
		t.tell(a.Key, Warning, "", r.Failure.Reason).Data.Evidence = worstFirst(t.e.Evidence)
	case steps.FlagOff:
		t.tell("flag.requested", Info, a.Key, r.Failure.Reason)
	}
}

func (t *teller) confirmed(a steps.ActionState) {
	switch a.Kind {
	case steps.RollbackAction:
		t.tell("rollback.completed", Info, "", a.How).Data.Target = t.e.State.Rollout.Plan.Mover.Key
	case steps.FlagOff:
		t.tell("flag.disabled", Info, a.Key, a.How)
	case steps.PublishEvent:
	}
}
