package steps

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-cd/serin/analysis"
)

// Describe says in one clause what changed between two revisions of a rollout.
func Describe(prev, next Rollout) string {
	if s := next.leave(prev); s != "" {
		return s
	}
	if prev.Phase != next.Phase || prev.Seq != next.Seq {
		return next.headline()
	}
	if s := next.holdChange(prev); s != "" {
		return s
	}
	if s := next.orderChange(prev); s != "" {
		return s
	}
	if s := next.trouble(prev); s != "" {
		return s
	}
	return strings.Join(append(next.actionChanges(prev), next.ruleChanges(prev)...), ", ")
}

// leave is an order that lets the rollout go on, whatever else it changes.
func (r Rollout) leave(prev Rollout) string {
	switch {
	case r.Full && !prev.Full:
		return "a person ended the bakes of all steps"
	case r.Approved && !prev.Approved:
		return "approved"
	}
	return ""
}

func (r Rollout) orderChange(prev Rollout) string {
	switch {
	case prev.Paused != r.Paused:
		return map[bool]string{true: "paused", false: "resumed"}[r.Paused]
	case r.SkipBake && !prev.SkipBake:
		return "a person ended the bake"
	case r.Retries != prev.Retries:
		return "trying again"
	}
	return ""
}

// trouble is what keeps the rollout from being ready, or its exposure from being confirmed.
func (r Rollout) trouble(prev Rollout) string {
	switch fresh := r.LastError != prev.LastError && r.LastError != ""; {
	case r.Unconfirmed && !prev.Unconfirmed:
		return "not confirmed within " + r.Plan.ConfirmWithin.String() + ": " + cmp.Or(r.LastError, "nothing is known of it yet") + " (goes on being tried)"
	case r.Since != prev.Since && r.Phase == Pending:
		return map[bool]string{true: "waiting for the advance window", false: "asking whether it is ready"}[r.Checking.IsZero()]
	case fresh && r.Phase == Pending:
		return "not ready yet: " + r.LastError
	case fresh:
		return "not confirmed yet: " + r.LastError
	}
	return ""
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
		return "requesting " + r.Requested()
	case Baking, Watching:
		return r.Reached() + " confirmed"
	case AwaitingApproval:
		return r.Passed() + ": waiting for approval"
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

// Passed is what the readings of a step that may be left say: healthy, or, where an audience alone has the new version,
// that nothing stands against it.
func (r Rollout) Passed() string {
	if r.AudienceOnly() {
		return "not unhealthy for " + r.Requested() + ", however few"
	}
	return "healthy at " + r.Requested()
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

// several counts the failing series, for people.
func several(series []SeriesState) string {
	switch {
	case len(series) == 1 && series[0].Key == analysis.EverySeries:
		return "many series"
	case len(series) == 1:
		return "1 series"
	}
	return fmt.Sprintf("%d series", len(series))
}

func (r Rollout) ruleChanges(prev Rollout) []string {
	var out []string
	for i, s := range r.Rules {
		was := prev.Rules[i]
		switch {
		case s.FailingSince.IsZero() != was.FailingSince.IsZero():
			out = append(out, s.Rule+map[bool]string{true: " passes again", false: " fails"}[s.FailingSince.IsZero()])
		case s.InAStep > was.InAStep:
			out = append(out, fmt.Sprintf("%s fails, %d in a row", s.Rule, s.InARow))
		case !slices.Equal(s.Series, was.Series):
			out = append(out, fmt.Sprintf("%s fails in %s", s.Rule, several(s.Series)))
		case s.Recovered && !was.Recovered:
			out = append(out, s.Rule+" recovered")
		case s.Seen && !was.Seen:
			out = append(out, s.Rule+" has data")
		}
	}
	return out
}
