package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// sentence says in plain words where a rollout is and what comes next.
func sentence(now time.Time, r steps.Rollout, views []ruleView) string {
	switch r.Phase {
	case steps.Pending:
		return pendingWords(now, r)
	case steps.Shifting:
		s := exposed(r.Want, r.Audience) + " requested, " + r.Reached() + " confirmed; waiting for " + spell(now, r.Shifted)
		if r.Unconfirmed {
			s = exposed(r.Want, r.Audience) + " requested and NOT confirmed for " + spell(now, r.Shifted) + "; it goes on being tried"
		}
		return join(s, held(now, r), rulesWords(r, views))
	case steps.Baking, steps.Watching, steps.AwaitingApproval:
		return join(exposed(r.Confirmed, r.ConfirmedAudience)+", confirmed", stands(now, r), rulesWords(r, views), next(now, r, views))
	case steps.Reverting:
		return revertingWords(now, r)
	case steps.Recovering:
		return join("Taken back and confirmed", "the failed rules are watched until they are healthy, for "+short(max(0, r.Since.Add(r.Plan.Recovery).Sub(now)))+" more")
	case steps.Ended:
		return endedWords(now, r)
	}
	return string(r.Phase)
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "; ")
}

// exposed is an exposure in words: "25 % of traffic", "audience email=*@example.com".
func exposed(s steps.Share, a steps.Audience) string {
	switch {
	case len(a) == 0:
		return s.String() + " of traffic"
	case s == 0:
		return a.String()
	}
	return s.String() + " of traffic and " + a.String()
}

func pendingWords(now time.Time, r steps.Rollout) string {
	const accepted = "Accepted, no traffic yet"
	if ok, why, again := r.Plan.MayAdvance(now); !ok {
		s := why
		if !again.IsZero() {
			s += " until " + clock(now, again)
		}
		return join(accepted, s)
	}
	if !r.Checking.IsZero() {
		return join(accepted, "asking whether it is ready, for "+spell(now, r.Checking)+" of "+short(r.Plan.ReadyWithin))
	}
	return join(accepted, "the first step is about to begin")
}

// stands is what the rollout does in a confirmed step.
func stands(now time.Time, r steps.Rollout) string {
	var s string
	switch d := left(now, r); {
	case r.Phase == steps.AwaitingApproval:
		s = "waiting for approval for " + spell(now, r.Since) + ": serin approve " + r.Service
	case d > 0 && r.Phase == steps.Watching:
		s = short(d) + " more to watch"
	case d > 0:
		s = short(d) + " more to bake"
	case r.Phase == steps.Watching:
		s = "watched"
	default:
		s = "baked"
	}
	if r.Paused {
		s = "PAUSED: serin resume " + r.Service + "; " + s
	}
	if h := held(now, r); h != "" {
		s = h
	}
	return s
}

// held is the hold in words.
func held(now time.Time, r steps.Rollout) string {
	if r.Hold == nil {
		return ""
	}
	s := "HOLDING for " + spell(now, r.Hold.Since) + ": " + r.Hold.Verdict.String()
	if len(r.Hold.Rules) > 0 {
		s += " for " + strings.Join(r.Hold.Rules, ", ")
	} else if r.Hold.Reason != "" {
		s += " (" + r.Hold.Reason + ")"
	}
	return s
}

// rulesWords counts the healthy rules of this step, and names those that are not.
func rulesWords(r steps.Rollout, views []ruleView) string {
	of := map[string][]string{} // rules, by their verdict
	read := 0
	for _, v := range views {
		if !v.Read {
			continue
		}
		read++
		name := v.Rule
		if v.Verdict == analysis.Unhealthy.String() {
			name = strings.TrimSpace(name + " fails " + v.Failing)
		}
		of[v.Verdict] = append(of[v.Verdict], name)
	}
	s := fmt.Sprintf("%d of %s healthy", len(of[analysis.Healthy.String()]), count(len(views), "rule"))
	switch {
	case len(views) == 0:
		s = "no rules"
	case r.Phase == steps.Shifting:
		s = ""
	case read == 0:
		s = "no rule read in this step yet"
	}
	parts := []string{s}
	if unclear := len(of[analysis.Inconclusive.String()]); unclear > 0 {
		parts[0] += fmt.Sprintf(", %d inconclusive so far", unclear)
	}
	parts = append(parts, few(of[analysis.Unhealthy.String()], ""))
	if r.Hold == nil { // else the hold names them
		parts = append(parts, few(of[analysis.NoData.String()], "no data for "), few(of[analysis.Outage.String()], "outage for "))
	}
	return join(parts...)
}

// few names some of many.
func few(names []string, lead string) string {
	const most = 3
	if len(names) == 0 {
		return ""
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], fmt.Sprintf("and %d more", more))
	}
	return lead + strings.Join(names, ", ")
}

// takenBackAt is when failing rules take the release back, if they go on failing.
func takenBackAt(r steps.Rollout) (time.Time, bool) {
	var at time.Time
	for i, s := range r.Rules {
		if i >= len(r.Plan.Rules) || s.FailingSince.IsZero() || r.Plan.Rules[i].OnFail != rules.Rollback {
			continue
		}
		if due := s.FailingSince.Add(r.Plan.Rules[i].For); at.IsZero() || due.Before(at) {
			at = due
		}
	}
	return at, !at.IsZero()
}

// next is what follows and when. Nobody knows while the rollout holds or waits for a person.
func next(now time.Time, r steps.Rollout, views []ruleView) string {
	if at, failing := takenBackAt(r); failing {
		if at.Before(now) {
			return "taken back unless the next reading is healthy"
		}
		return "taken back at " + clock(now, at) + " unless that changes"
	}
	if r.Hold != nil || r.Paused || r.Phase == steps.AwaitingApproval {
		return ""
	}
	due := now.Add(left(now, r))
	what := "promoted"
	switch s := stepAt(r, r.Step); {
	case s.Approval && !r.Approved && !r.Full:
		what = "then approval"
	case r.Phase == steps.Baking:
		what = "next " + stepAt(r, r.Step+1).String()
		if ok, closed, _ := r.Plan.MayAdvance(due); !ok {
			return what + " " + whenOpen(now, due, r.Plan, closed)
		}
	}
	switch {
	case due.After(now):
		return what + " at " + clock(now, due)
	case allHealthy(views):
		return what + " with the next reading"
	}
	return what + " once all rules are healthy"
}

// whenOpen is when a step may begin that may not when it is due.
func whenOpen(now, due time.Time, p steps.Plan, closed string) string {
	if at, open := opens(due, p); open {
		return "at " + clock(now, at) + " (" + closed + " until then)"
	}
	return "at no time that is known (" + closed + ")"
}

func allHealthy(views []ruleView) bool {
	for _, v := range views {
		if !v.Read || v.Verdict != analysis.Healthy.String() {
			return false
		}
	}
	return true
}

// opens is the first instant from t on at which a step may begin, where windows and freezes let one be found.
func opens(t time.Time, p steps.Plan) (time.Time, bool) {
	for range 50 {
		ok, _, again := p.MayAdvance(t)
		if ok {
			return t, true
		}
		if !again.After(t) {
			break
		}
		t = again
	}
	return t, false
}

func revertingWords(now time.Time, r steps.Rollout) string {
	confirmed := 0
	for _, a := range r.Failure.Actions {
		if !a.Confirmed.IsZero() {
			confirmed++
		}
	}
	s := fmt.Sprintf("Being taken back from %s for %s; %d of %s confirmed", steps.Shown(r.Failure.FromShare, r.Failure.FromAudience), spell(now, r.Failure.At),
		confirmed, count(len(r.Failure.Actions), "action"))
	if r.Unconfirmed {
		s = "NOT CONFIRMED, a person must look: " + strings.ToLower(s[:1]) + s[1:] + "; it goes on being tried"
	}
	return join(s, r.Failure.Reason)
}

func endedWords(now time.Time, r steps.Rollout) string {
	at := ", " + spell(now, r.EndedAt) + " ago"
	switch r.Outcome {
	case steps.Promoted:
		return "Promoted at " + clock(now, r.EndedAt) + at + ": all traffic has " + r.Version
	case steps.Restored, steps.RestoreUnconfirmed, steps.NeverExposed:
	}
	s := map[steps.Outcome]string{
		steps.Restored: "Taken back and confirmed", steps.RestoreUnconfirmed: "Taken back and NOT confirmed, a person must look", steps.NeverExposed: "Ended without any traffic",
	}[r.Outcome]
	s += " at " + clock(now, r.EndedAt) + at
	if r.Failure == nil {
		return s
	}
	return join(s, r.Failure.Reason)
}
