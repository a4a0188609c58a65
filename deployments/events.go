package deployments

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// Events are the public facts of an entry, given the slot's entry before it (the zero Entry if there is none). It is
// pure: the same two entries always give the same events with the same ids, so that telling twice is telling once.
func Events(prev, e Entry) []Event {
	t := teller{prev: prev.State, e: e}
	if in, ok := e.released(); ok {
		t.release(in)
	}
	r := e.State.Rollout
	if r == nil {
		return t.events
	}
	was := steps.Rollout{ID: r.ID, Rules: make([]steps.RuleState, len(r.Rules))}
	if p := prev.State.Rollout; p != nil && p.ID == r.ID {
		was = *p
	} else if prev.State.Rollout == nil && len(t.events) == 0 {
		was = *r // the entry before it is purged, or was never there: nothing can be said about what changed
	}
	t.traffic(was, *r)
	t.rules(was, *r)
	t.people(was, *r)
	t.wayBack(was, *r)
	t.end(was, *r)
	return t.events
}

type teller struct {
	prev   State
	e      Entry
	events []Event
}

// tell adds an event. The target tells apart two events of one name.
func (t *teller) tell(name string, s Severity, target, reason string) *Event {
	d := t.data()
	d.Reason, d.Target = reason, target
	id := fmt.Sprintf("%s/%d/%s", cmp.Or(d.Rollout, t.e.Slot.String()), t.e.Rev, name)
	if target != "" {
		id += "/" + target
	}
	ev := Event{ID: id, Name: name, Slot: t.e.Slot, Time: t.e.At, Severity: s, Subject: "event." + t.e.Slot.Subject() + "." + name, Data: d}
	if rel := t.e.State.Release; rel != nil {
		ev.Trace = rel.Trace
	}
	t.events = append(t.events, ev)
	return &t.events[len(t.events)-1]
}

func (t *teller) data() EventData {
	d := EventData{Service: t.e.Slot.Service, Environment: t.e.Slot.Environment, Rev: t.e.Rev}
	if rel := t.e.State.Release; rel != nil {
		d.Release, d.Author, d.RunURL = rel.ID, rel.Author, rel.RunURL
	}
	r := t.e.State.Rollout
	if r == nil {
		return d
	}
	d.Version, d.Stable, d.Rollout, d.Seq, d.Phase = r.Version, r.Stable, r.ID, r.Seq, r.Phase
	d.Step, d.Percent, d.Confirmed = r.Step+1, r.Want.Percent(), r.Confirmed.Percent()
	d.Audience, d.ConfirmedAudience = r.Audience, r.ConfirmedAudience
	d.Outcome, d.Cause, d.Started = r.Outcome, r.Cause, t.began()
	if r.Failure != nil {
		d.Actions, d.Cause, d.By, d.FromPercent = r.Failure.Actions, r.Failure.Cause, r.Failure.By, r.Failure.FromShare.Percent()
		d.FromAudience = r.Failure.FromAudience
	}
	return d
}

// began is when the rollout was accepted, as far as its state tells: its first exposure, or this entry.
func (t *teller) began() time.Time {
	if r := t.e.State.Rollout; !r.FirstExposed.IsZero() {
		return r.FirstExposed
	}
	return t.e.At
}

// release tells what became of a release. It may not be the one the slot's rollout is of.
func (t *teller) release(in Released) {
	name, severity := "release."+string(in.Answer), Info
	switch in.Answer {
	case Accepted, Duplicate:
	case Rejected:
		severity = Warning
	case Outdated:
		name = "release.superseded"
	case Supersedes, Waits, Queues:
		name = "release.queued"
	}
	why := in.Why
	if in.Answer == Accepted {
		why = "stable is " + cmp.Or(t.e.State.Rollout.Stable, "not known: this is the first release")
	}
	ev := t.tell(name, severity, in.Release.ID, why)
	ev.Data.Version, ev.Data.Release = in.Release.Version, in.Release.ID
	ev.Data.Author, ev.Data.RunURL, ev.Trace = in.Release.Author, in.Release.RunURL, in.Release.Trace
	if in.Answer == Accepted {
		return
	}
	for _, q := range t.prev.Queue { // the newest release wins: those that waited before it are superseded
		if in.Answer != Duplicate && !slices.ContainsFunc(t.e.State.Queue, func(o Queued) bool { return o.Release.ID == q.Release.ID }) && q.Release.ID != in.Release.ID {
			old := t.tell("release.superseded", Info, q.Release.ID, "superseded by "+in.Release.Version)
			old.Data.Version, old.Data.Release, old.Trace = q.Release.Version, q.Release.ID, q.Release.Trace
		}
	}
}

// traffic tells of steps and shares.
func (t *teller) traffic(was, r steps.Rollout) {
	if r.Seq != was.Seq && r.Phase == steps.Shifting {
		if was.StepBegan != (time.Time{}) && was.Exposes() {
			passed := t.tell("step.passed", Info, "", was.Passed())
			passed.Data.Evidence = worstFirst(t.e.Evidence)
			passed.Data.Step, passed.Data.Percent, passed.Data.Audience = was.Step+1, was.Want.Percent(), was.Audience
		}
		t.tell("step.started", Info, "", "")
	}
	if (r.Want != was.Want || !reflect.DeepEqual(r.Audience, was.Audience)) && r.Seq != was.Seq {
		t.tell("traffic.requested", Info, "", "")
	}
	if arrived := r.StepBegan != was.StepBegan && !r.StepBegan.IsZero() && r.Failure == nil; arrived {
		t.tell("traffic.confirmed", Info, "", "")
	}
	if r.Unconfirmed && !was.Unconfirmed && r.Failure == nil {
		t.tell("traffic.unconfirmed", Page, "", t.e.Note)
	}
}

// rules tells of rules that begin and cease to fail, and of holds.
func (t *teller) rules(was, r steps.Rollout) {
	for i, s := range r.Rules {
		failing, failed := !s.FailingSince.IsZero(), !was.Rules[i].FailingSince.IsZero()
		switch {
		case failing && !failed:
			t.rule("rule.failing", ruleSeverity(r.Plan.Rules[i]), s.Rule)
		case failed && !failing, s.Recovered && !was.Rules[i].Recovered:
			t.rule("rule.recovered", Info, s.Rule)
		}
	}
	switch {
	case r.Hold == nil:
	case r.Hold.Told && (was.Hold == nil || !was.Hold.Told):
		t.tell("analysis.inconclusive", Warning, "", "holding since "+r.Hold.Since.UTC().Format(time.TimeOnly)+" UTC: "+r.Hold.String())
	case was.Hold == nil:
		t.tell("analysis.inconclusive", Info, "", r.Hold.String()).Data.Evidence = worstFirst(t.e.Evidence)
	}
}

func ruleSeverity(t rules.Tolerance) Severity {
	switch t.Severity {
	case rules.Info:
		return Info
	case rules.Warning:
		return Warning
	case rules.Critical:
		if t.OnFail != rules.Rollback {
			return Page
		}
	}
	if t.OnFail == rules.Rollback {
		return Info // the decision itself follows, or it recovers
	}
	return Warning
}

func (t *teller) rule(name string, s Severity, rule string) {
	ev := t.tell(name, s, rule, "")
	for _, j := range t.e.Evidence {
		if j.Rule == rule {
			ev.Data.Evidence, ev.Data.Reason = []analysis.Judgement{j}, j.Reason
		}
	}
}

// people tells of what persons were asked, and ordered.
func (t *teller) people(was, r steps.Rollout) {
	if r.Phase == steps.AwaitingApproval && was.Phase != steps.AwaitingApproval {
		t.tell("approval.requested", Warning, "", "").Data.Evidence = worstFirst(t.e.Evidence)
	}
	by, why := t.order()
	if r.Approved && !was.Approved {
		t.tell("approval.granted", Info, "", why).Data.By = by
	}
	switch {
	case r.Paused && !was.Paused:
		t.tell("rollout.paused", Info, "", why).Data.By = by
	case was.Paused && !r.Paused && r.Failure == nil:
		t.tell("rollout.resumed", Info, "", why).Data.By = by
	}
}

// order is who ordered what the entry is about, and why.
func (t *teller) order() (by, why string) {
	in, _, err := DecodeInput(t.e)
	if c, ok := in.(steps.Command); ok && err == nil {
		return c.By, c.Reason
	}
	return "", ""
}

// end tells how it ended.
func (t *teller) end(was, r steps.Rollout) {
	if r.Phase != steps.Ended || was.Phase == steps.Ended {
		return
	}
	switch r.Outcome {
	case steps.Promoted:
		t.tell("rollout.promoted", Info, "", "").Data.Evidence = worstFirst(t.e.Evidence)
		for _, a := range r.Plan.OnPromote {
			t.tell(a.Key, Info, "", "promoted")
		}
	case steps.Restored:
		over := t.tell("rollout.restored", Info, "", "")
		over.Data.Evidence = worstFirst(t.e.Evidence)
		if r.Failure != nil {
			over.Data.Restored = r.Failure.Restored
		}
	case steps.NeverExposed:
		t.neverExposed(r)
	case steps.RestoreUnconfirmed:
	}
}

// neverExposed tells of the end of a rollout without traffic.
func (t *teller) neverExposed(r steps.Rollout) {
	name, severity := "rollout.aborted", Info
	switch r.Cause {
	case steps.NotReady:
		name, severity = "rollout.not_ready", Warning
	case steps.BySuperseded:
		name = "release.superseded"
	case steps.ByPerson, steps.ByRules, steps.ByLostData, steps.ByHoldTimeout:
	}
	t.tell(name, severity, "", describeFailure(r))
}

// describeFailure is why the rollout turned back; "" in an entry of somebody else's that does not say.
func describeFailure(r steps.Rollout) string {
	if r.Failure == nil {
		return ""
	}
	return r.Failure.Reason
}
