package policytest

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// courseOf is what people saw of a rollout.
func courseOf(zero time.Time, entries []deployments.Entry) []Moment {
	var out []Moment
	var prev steps.Rollout
	for _, e := range entries {
		if e.State.Rollout == nil {
			continue
		}
		for _, m := range moments(prev, *e.State.Rollout) {
			m.At, m.Note = e.At.Sub(zero), e.Note
			out = append(out, m)
		}
		prev = *e.State.Rollout
	}
	return out
}

// moments are what one revision of a rollout shows.
func moments(prev, next steps.Rollout) []Moment {
	var out []Moment
	if !next.StepBegan.IsZero() && !next.StepBegan.Equal(prev.StepBegan) {
		out = append(out, Moment{Kind: kindStep, What: reached(next)})
	}
	if next.Phase == steps.AwaitingApproval && prev.Phase != next.Phase {
		out = append(out, Moment{Kind: kindAwaits, What: "approval"})
	}
	switch {
	case next.Hold != nil && (prev.Hold == nil || prev.Hold.Verdict != next.Hold.Verdict):
		out = append(out, Moment{Kind: kindHold, What: next.Hold.Verdict.String()})
	case next.Hold == nil && prev.Hold != nil && next.Failure == nil && next.Phase != steps.Ended:
		out = append(out, Moment{Kind: kindHold, What: "none"})
	}
	return append(out, confirmed(prev.Failure, next.Failure)...)
}

// audience is the step without a share: 0 is a release that was taken back.
const audience = "audience"

// reached is the share that was confirmed, as it is written in a course.
func reached(r steps.Rollout) string {
	if r.Confirmed == 0 && len(r.ConfirmedAudience) > 0 {
		return audience
	}
	return percent(r.Confirmed)
}

// confirmed are the actions on the way back that were confirmed between two revisions.
func confirmed(prev, next *steps.FailureState) []Moment {
	var out []Moment
	if next == nil {
		return nil
	}
	for i, a := range next.Actions {
		before := prev != nil && i < len(prev.Actions) && !prev.Actions[i].Confirmed.IsZero()
		if before || a.Confirmed.IsZero() {
			continue
		}
		switch a.Kind {
		case steps.RollbackAction:
			out = append(out, Moment{Kind: kindStep, What: "0"})
		case steps.FlagOff:
			out = append(out, Moment{Kind: kindOff, What: a.Key})
		case steps.PublishEvent:
		}
	}
	return out
}

// endOf is how a rollout ended.
func endOf(zero time.Time, entries []deployments.Entry) End {
	if len(entries) == 0 || entries[len(entries)-1].State.Rollout == nil {
		return End{}
	}
	r := entries[len(entries)-1].State.Rollout
	e := End{Outcome: string(r.Outcome), Cause: string(r.Cause)}
	if r.Failure != nil {
		e.Cause, e.Failed = string(r.Failure.Cause), r.Failure.Rules
	}
	if e.Outcome == "" {
		e.Outcome = running
	}
	if r.Phase == steps.Ended {
		ended := r.EndedAt.Sub(zero)
		e.Ended = &ended
	}
	return e
}

// String is the moment as a line of a course.
func (m Moment) String() string {
	return "{at: " + clock(m.At) + ", " + m.Kind + ": " + word(m.What) + "}"
}

// clock is a time since the release, as it is written in a test.
func clock(d time.Duration) string {
	if d < 0 {
		return "-" + clock(-d)
	}
	return model.Duration(d.Truncate(time.Millisecond)).String()
}

// word is text as it can stand in YAML.
func word(s string) string {
	plain := func(r rune) bool {
		return r == ' ' || r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) || strings.HasPrefix(s, "-") {
		return strconv.Quote(s)
	}
	return s
}

// written is a course and an end in the notation of a test, with what happened as comments.
func written(course []Moment, end End) string {
	var b strings.Builder
	b.WriteString("course:\n")
	width := 0
	for _, m := range course {
		width = max(width, len([]rune(m.String())))
	}
	for _, m := range course {
		line := m.String()
		b.WriteString("  - " + line)
		if m.Note != "" {
			b.WriteString(strings.Repeat(" ", width-len([]rune(line))) + " # " + oneLine(m.Note))
		}
		b.WriteByte('\n')
	}
	b.WriteString("outcome: " + end.Outcome + "\n")
	if end.Cause != "" {
		b.WriteString("cause: " + end.Cause + "\n")
	}
	if len(end.Failed) > 0 {
		b.WriteString("failed: [" + strings.Join(end.Failed, ", ") + "]\n")
	}
	if end.Ended != nil {
		b.WriteString("ended: " + clock(*end.Ended) + "\n")
	}
	return b.String()
}

// oneLine is text without line breaks and other control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
