package steps

import (
	"fmt"
	"strings"
)

// Describe says in one clause what changed between two revisions of a rollout.
func Describe(prev, next Rollout) string {
	if next.Full && !prev.Full {
		return "a person ended the bakes of all steps"
	}
	if next.Approved && !prev.Approved {
		return "approved"
	}
	if prev.Phase != next.Phase || prev.Seq != next.Seq {
		return next.headline()
	}
	if s := next.holdChange(prev); s != "" {
		return s
	}
	switch {
	case next.Unconfirmed && !prev.Unconfirmed:
		return "not confirmed within " + next.Plan.ConfirmWithin.String() + ": " + strings.TrimSpace(next.LastError+" (goes on being tried)")
	case prev.Paused != next.Paused:
		return map[bool]string{true: "paused", false: "resumed"}[next.Paused]
	case next.SkipBake && !prev.SkipBake:
		return "a person ended the bake"
	case next.Since != prev.Since && next.Phase == Pending:
		return map[bool]string{true: "waiting for the advance window", false: "asking whether it is ready"}[next.Checking.IsZero()]
	case next.LastError != prev.LastError && next.LastError != "" && next.Phase == Pending:
		return "not ready yet: " + next.LastError
	case next.LastError != prev.LastError && next.LastError != "":
		return "not confirmed yet: " + next.LastError
	case next.Retries != prev.Retries:
		return "trying again"
	}
	return strings.Join(append(next.actionChanges(prev), next.ruleChanges(prev)...), ", ")
}

func (r Rollout) holdChange(prev Rollout) string {
	switch {
	case r.Hold == nil && prev.Hold == nil:
		return ""
	case r.Hold == nil:
		return "holding no more"
	case prev.Hold == nil || prev.Hold.Verdict != r.Hold.Verdict:
		return "holding: " + r.Hold.String()
	case r.Hold.Told && !prev.Hold.Told:
		return "still holding: " + r.Hold.String()
	}
	return ""
}

// actionChanges names the actions that have been confirmed.
func (r Rollout) actionChanges(prev Rollout) []string {
	var out []string
	for i := range r.actions() {
		if a := r.Failure.Actions[i]; prev.Failure.Actions[i].Confirmed != a.Confirmed {
			out = append(out, strings.TrimSpace(string(a.Kind)+" "+a.Key)+" confirmed")
		}
	}
	return out
}

func (r Rollout) actions() []ActionState {
	if r.Failure == nil {
		return nil
	}
	return r.Failure.Actions
}

func (r Rollout) headline() string {
	switch r.Phase {
	case Pending:
		return "accepted"
	case Shifting:
		return "requesting " + r.Want.String()
	case Baking, Watching:
		return fmt.Sprintf("%v confirmed", r.Confirmed)
	case AwaitingApproval:
		return fmt.Sprintf("healthy at %v: waiting for approval", r.Confirmed)
	case Reverting:
		if r.Failure.Else != "" {
			return r.Failure.Else
		}
		return "turning back: " + r.Failure.Reason
	case Recovering:
		if !r.takenBack() {
			return "feature off and confirmed"
		}
		return "taken back and confirmed"
	case Ended:
		return strings.TrimSpace(strings.ReplaceAll(string(r.Outcome)+" "+string(r.Cause), "_", " "))
	}
	return string(r.Phase)
}

// String is the hold in words.
func (h Hold) String() string {
	s := h.Verdict.String()
	if len(h.Rules) > 0 {
		s += " for " + strings.Join(h.Rules, ", ")
	}
	if h.Reason != "" {
		s += " (" + h.Reason + ")"
	}
	return s
}

func (r Rollout) ruleChanges(prev Rollout) []string {
	var out []string
	for i, s := range r.Rules {
		was := prev.Rules[i]
		switch {
		case s.FailingSince.IsZero() != was.FailingSince.IsZero():
			out = append(out, s.Rule+map[bool]string{true: " passes again", false: " fails"}[s.FailingSince.IsZero()])
		case s.Recovered && !was.Recovered:
			out = append(out, s.Rule+" recovered")
		case s.Seen && !was.Seen:
			out = append(out, s.Rule+" has data")
		}
	}
	return out
}
