package notify

import (
	"math"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// Bounds of strings from events, in UTF-16 units.
const (
	maxName   = 80
	maxReason = 300
)

// told is an event in one dialect.
type told struct {
	deployments.Event
	q     quote
	again int // how often a person was told of it before
}

// phrases says what has happened, after the words "checkout 1.4.2".
var phrases = map[string]func(told) string{
	"release.accepted":   func(told) string { return " accepted" },
	"release.queued":     func(told) string { return " is queued" },
	"release.rejected":   func(told) string { return " refused" },
	"release.duplicate":  func(told) string { return " is known already" },
	"release.superseded": func(t told) string { return " superseded" + t.by() },
	"step.started":       told.started,
	"traffic.requested": func(t told) string {
		if s := t.audience(t.Data.Percent, t.Data.Audience); s != "" {
			return ": requested" + s
		}
		return ": traffic requested at " + steps.Share(math.Round(t.Data.Percent*100)).String()
	},
	"traffic.confirmed":     func(t told) string { return ": traffic confirmed" + t.at() },
	"traffic.unconfirmed":   func(t told) string { return ": traffic NOT confirmed" + t.at() },
	"step.passed":           func(t told) string { return " passed step " + count(t.Data.Step) + t.at() },
	"rule.failing":          func(t told) string { return ": " + t.rule() + " is failing" + t.at() },
	"rule.recovered":        func(t told) string { return ": " + t.rule() + " has recovered" },
	"analysis.inconclusive": func(t told) string { return " is held" + t.at() },
	"rollout.paused":        func(t told) string { return " paused" + t.at() + t.by() },
	"rollout.resumed":       func(t told) string { return " resumed" + t.at() + t.by() },
	"approval.requested":    func(t told) string { return " waits for approval" + t.at() },
	"approval.granted":      func(t told) string { return " approved" + t.at() + t.by() },
	"rollout.failed":        func(t told) string { return " failed" + t.at() },
	"rollout.not_ready":     func(told) string { return " was not ready, and has had no traffic" },
	"rollout.aborted":       func(t told) string { return " aborted" + t.at() + t.by() },
	"rollback.requested":    func(t told) string { return " is being rolled back" + t.from() },
	"rollback.completed":    func(t told) string { return " rolled back" + t.from() },
	"rollback.failed":       func(t told) string { return ": rollback NOT confirmed" + t.from() },
	"flag.requested":        func(t told) string { return ": " + t.flag() + " is being turned off" },
	"flag.disabled":         func(t told) string { return ": " + t.flag() + " turned off" },
	"flag.failed":           func(t told) string { return ": " + t.flag() + " NOT confirmed off" },
	"policy.differs":        func(told) string { return ": workers have different policies" },
	"rollout.promoted":      func(told) string { return " promoted" },
	testName:                func(t told) string { return ": " + t.q(t.Data.Reason, maxReason) },
	"rollout.restored":      told.restored,
}

// headline is the event in one sentence.
func (t told) headline() string {
	subject := strings.TrimSpace(t.q(t.Data.Service, maxName) + " " + t.q(t.Data.Version, maxName))
	if t.again > 0 {
		subject = "Still: " + subject
	}
	if phrase, ok := phrases[t.Name]; ok {
		return subject + phrase(t)
	}
	return subject + ": " + t.q(t.Name, maxName)
}

func (t told) started() string {
	if t.Data.Step <= 1 {
		return " started" + t.at()
	}
	return " goes on" + strings.Replace(t.at(), " at ", " to ", 1)
}

// at is the share an event speaks of. A rollout that has turned back already asks for 0.
func (t told) at() string {
	for _, p := range []float64{t.Data.FromPercent, t.Data.Percent, t.Data.Confirmed} {
		if s := share(p); s != "" {
			return " at " + s
		}
	}
	return firstOf(t.audience(0, t.Data.FromAudience), t.audience(0, t.Data.Audience), t.audience(0, t.Data.ConfirmedAudience))
}

// audience is who had the version without a share.
func (t told) audience(percent float64, a steps.Audience) string {
	if s := t.q(a.String(), maxName); percent == 0 && s != "" {
		return " for " + s
	}
	return ""
}

// from is the share a rollout was taken back from.
func (t told) from() string {
	if s := share(t.Data.FromPercent); s != "" {
		return " at " + s
	}
	return t.audience(0, t.Data.FromAudience)
}

func (t told) by() string {
	if who := t.q(t.Data.By, maxName); who != "" {
		return " by " + who
	}
	return ""
}

func (t told) rule() string { return firstOf(t.q(t.ruleName(), maxName), "a rule") }

// ruleName is the one rule that a rule.* event is about.
func (t told) ruleName() string {
	if t.Data.Target == "" && len(t.Data.Evidence) > 0 {
		return t.Data.Evidence[0].Rule
	}
	return t.Data.Target
}

func (t told) flag() string { return firstOf(t.q(flagOf(t.Data.Target), maxName), "a flag") }

// shown is the evidence worth telling: of an event about one rule that rule's; else the rules that failed, else those
// that hold, else all.
func (t told) shown() []analysis.Judgement {
	var failed, holding, healthy []analysis.Judgement
	for _, j := range t.Data.Evidence {
		switch {
		case strings.HasPrefix(t.Name, "rule.") && j.Rule != t.ruleName():
		case j.Verdict == analysis.Unhealthy || j.Lost:
			failed = append(failed, j)
		case j.Verdict != analysis.Healthy:
			holding = append(holding, j)
		default:
			healthy = append(healthy, j)
		}
	}
	switch {
	case len(failed) > 0:
		return failed
	case len(holding) > 0:
		return holding
	default:
		return healthy
	}
}
