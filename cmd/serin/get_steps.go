package main

import (
	"strings"
	"time"

	"github.com/serin-cd/serin/steps"
)

// The states of a step.
const (
	stepDone       = "done"
	stepPresent    = "present"
	stepToCome     = "to come"
	stepTurned     = "turned back" // where the rollout turned back
	stepNotReached = "not reached"
)

// stepView is a step beside what became of it.
type stepView struct {
	Name     string         `json:"name"` // its share, and its own audience
	Percent  float64        `json:"percent"`
	Audience steps.Audience `json:"audience,omitempty"`
	State    string         `json:"state"`
	Bake     time.Duration  `json:"bake"`           // from the confirmed start
	Left     time.Duration  `json:"left,omitempty"` // of the present step's bake
	Approval bool           `json:"approval,omitempty"`
	Detail   string         `json:"detail,omitempty"` // in words
}

func stepViews(now time.Time, r steps.Rollout) []stepView {
	out := make([]stepView, len(r.Plan.Steps))
	for i, s := range r.Plan.Steps {
		out[i] = stepView{Name: s.String(), Percent: s.Share.Percent(), Audience: s.Audience, Bake: s.Bake, Approval: s.Approval}
		v := &out[i]
		switch v.State = stepState(r, i); v.State {
		case stepPresent:
			v.Detail = presentStep(now, r)
			if r.Phase == steps.Baking || r.Phase == steps.Watching {
				v.Left = left(now, r)
			}
		case stepTurned:
			v.Detail = "turned back here"
		case stepToCome:
			v.Detail = stepPlan(s)
		case stepNotReached:
			v.Detail = "not reached"
		}
	}
	return out
}

// stepState is what became of a step.
func stepState(r steps.Rollout, i int) string {
	over := r.Failure != nil || r.Phase == steps.Ended
	switch {
	case r.Outcome == steps.Promoted, i < r.Step:
		return stepDone
	case over && i == r.Step && !r.FirstExposed.IsZero():
		return stepTurned
	case over:
		return stepNotReached
	case i == r.Step && r.Phase != steps.Pending:
		return stepPresent
	}
	return stepToCome
}

// stepPlan is what a step to come will be.
func stepPlan(s steps.Step) string {
	var parts []string
	switch {
	case s.Bake > 0 && s.Share == steps.All:
		parts = append(parts, "watched for "+short(s.Bake))
	case s.Bake > 0:
		parts = append(parts, "bakes "+short(s.Bake))
	}
	if s.Approval {
		parts = append(parts, "needs approval")
	}
	return strings.Join(parts, ", ")
}

// presentStep is how far the present step is.
func presentStep(now time.Time, r steps.Rollout) string {
	s := stepAt(r, r.Step)
	text := ""
	switch r.Phase {
	case steps.Shifting:
		text = "requested " + ago(now, r.Shifted) + ", " + r.Reached() + " confirmed"
		if r.Unconfirmed {
			text = "requested, NOT confirmed within " + short(r.Plan.ConfirmWithin) + "; " + r.Reached() + " is"
		}
	case steps.Baking, steps.Watching:
		verb := map[bool]string{true: "watched", false: "baked"}[r.Phase == steps.Watching]
		switch d := left(now, r); {
		case d > 0 && r.Hold != nil && r.Hold.StopsBake:
			text = "confirmed; the bake stands still, " + short(d) + " of " + short(s.Bake) + " to go"
		case d > 0:
			text = "confirmed; " + short(d) + " of " + short(s.Bake) + " to go"
		default:
			text = "confirmed and " + verb
		}
	case steps.AwaitingApproval:
		text = "confirmed and baked"
	case steps.Pending, steps.Reverting, steps.Recovering, steps.Ended:
	}
	if s.Approval && !r.Approved && !r.Full {
		text += map[bool]string{true: "; waits for approval", false: "; needs approval"}[r.Phase == steps.AwaitingApproval]
	}
	if r.Paused {
		text += "; paused"
	}
	return text
}

// stepAt is a step of the plan; the zero Step where it has none.
func stepAt(r steps.Rollout, i int) steps.Step {
	if i < 0 || i >= len(r.Plan.Steps) {
		return steps.Step{}
	}
	return r.Plan.Steps[i]
}

// left is how much of the present step's bake is to go. While a hold stops the bake it stays the same.
func left(now time.Time, r steps.Rollout) time.Duration {
	if r.StepBegan.IsZero() || r.SkipBake || r.Full {
		return 0
	}
	end := r.StepBegan.Add(stepAt(r, r.Step).Bake + r.Held)
	if h := r.Hold; h != nil && h.StopsBake {
		from := h.Since
		if from.Before(r.StepBegan) {
			from = r.StepBegan
		}
		end = end.Add(max(0, now.Sub(from)))
	}
	return max(0, end.Sub(now))
}

// short is a duration in whole seconds, as people write it: 4m10s, 10m, 1h30m.
func short(d time.Duration) string {
	if d < time.Second && d > 0 {
		return d.Round(100 * time.Millisecond).String()
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// spell is how long something has been so. Below a second it is 0s.
func spell(now, since time.Time) string {
	return short(max(0, now.Sub(since)).Truncate(time.Second))
}

func ago(now, at time.Time) string { return spell(now, at) + " ago" }

// clock is an instant for people: the time of day, with the day where it is not today's, and seconds where it is near.
func clock(now, at time.Time) string {
	at = at.In(now.Location())
	day := at.Format(time.DateOnly) == now.Format(time.DateOnly)
	switch near := at.Sub(now).Abs() < 2*time.Minute; {
	case near:
		return at.Format(time.TimeOnly)
	case day:
		return at.Format("15:04")
	case at.Year() == now.Year():
		return at.Format("Mon 2 Jan 15:04")
	}
	return at.Format("2 Jan 2006 15:04")
}
