package steps

import (
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
)

// measured weighs readings: it rolls back, holds, or advances, in this order.
func (r Rollout) measured(now time.Time, m Measured) Rollout {
	if m.Seq != r.Seq {
		return r
	}
	if r.Phase == Recovering {
		return r.recovered(now, m)
	}
	if _, asked := r.measure(); !asked || !r.advancing() {
		return r
	}
	r = r.remember(m)
	if failed, cause := r.failed(m); len(failed) > 0 {
		return r.fail(now, cause, failed, reasons(m, failed))
	}
	block, blocked := r.blocked(now, m)
	r = r.holding(now, block)
	if blocked || r.Paused || !r.baked(now) {
		return r
	}
	return r.advance(now)
}

// remember writes down what must not be lost: that a rule had data, and since when it fails.
// A healthy reading ends a row of failing ones, and so does one that proves nothing; an outage or a gap does not.
func (r Rollout) remember(m Measured) Rollout {
	for i, s := range r.Rules {
		j, ok := find(m.Verdicts, s.Rule)
		if !ok {
			continue
		}
		s.Seen = s.Seen || j.Data
		switch j.Verdict {
		case analysis.Unhealthy:
			if s = s.track(r.Plan.Rules[i], j); s.FailingSince.IsZero() {
				s.FailingSince = j.Reading.At
			}
			s = s.count(r.Plan.Rules[i], j.Reading.At)
		case analysis.Healthy, analysis.Inconclusive:
			s.FailingSince, s.InARow = time.Time{}, 0
			s = s.track(r.Plan.Rules[i], j)
		case analysis.NoData, analysis.Outage:
		}
		r.Rules[i] = s
	}
	return r
}

// count counts a failing reading, once, where the rule has a budget of them.
func (s RuleState) count(t rules.Tolerance, at time.Time) RuleState {
	if t.InARow == 0 && t.InAStep == 0 || at.Equal(s.FailedAt) {
		return s
	}
	s.FailedAt = at
	s.InARow++
	s.InAStep++
	return s
}

// borne reports whether a rule's failing readings are still within what the plan bears.
func (s RuleState) borne(t rules.Tolerance, at time.Time) bool {
	if t.InAStep > 0 && s.InAStep >= t.InAStep {
		return false
	}
	return at.Sub(s.FailingSince) < t.For || s.InARow < t.InARow
}

// failed is the rollback decision: the rules whose failing readings have gone on for their `for`,
// are more than the rule's budgets, or are critical.
func (r Rollout) failed(m Measured) (failed []string, cause Cause) {
	cause = ByRules
	for i, t := range r.Plan.Rules {
		j, ok := find(m.Verdicts, t.Rule)
		if !ok || j.Verdict != analysis.Unhealthy || t.OnFail != rules.Rollback {
			continue
		}
		if !j.Critical && r.Rules[i].borne(t, j.Reading.At) {
			continue
		}
		if j.Lost && len(failed) == 0 {
			cause = ByLostData
		} else if !j.Lost {
			cause = ByRules
		}
		failed = append(failed, t.Rule)
	}
	return failed, cause
}

// blocked reports whether anything stands against advancing, and the hold it makes, if it is more than waiting.
// Over all rules: unhealthy, outage, no data, inconclusive, healthy; the worst one is shown.
func (r Rollout) blocked(now time.Time, m Measured) (*Hold, bool) {
	blocked := r.Phase == Shifting
	var worst *Hold
	for i, t := range r.Plan.Rules {
		j, ok := find(m.Verdicts, t.Rule)
		if ok && j.Verdict == analysis.Healthy && len(r.Rules[i].Series) > 0 {
			j.Verdict, j.Reason = analysis.Unhealthy, "it keeps firing for "+t.KeepFiring.String()
		}
		if t.OnFail == rules.Notify || ok && !j.Reading.At.Before(r.StepBegan) && (j.Verdict == analysis.Healthy || r.tooFew(j)) {
			continue
		}
		blocked = true
		if j.Verdict == analysis.Unhealthy && t.OnFail == rules.Rollback {
			continue // waiting for its `for`
		}
		if h, ok := r.hold(now, j, r.Rules[i]); ok {
			worst = worse(worst, &h)
		}
	}
	if gap, ok := r.gap(now, m); ok {
		return worse(worst, gap), true
	}
	return worst, blocked
}

// tooFew reports whether a reading says no more than that the users of an audience without a share are few: it does not
// stand against leaving the step, which its bake and its approval decide. Lost data is not no data.
func (r Rollout) tooFew(j analysis.Judgement) bool {
	return r.AudienceOnly() && !j.Lost && (j.Verdict == analysis.Inconclusive || j.Verdict == analysis.NoData)
}

// hold makes a hold of a verdict that is not healthy, unless it is mere waiting: readings prove nothing at the start of
// every step, and a hold only once the bake is over. Data that went away holds at once, and stops the bake.
func (r Rollout) hold(now time.Time, j analysis.Judgement, s RuleState) (Hold, bool) {
	h := Hold{Verdict: j.Verdict, Rules: []string{j.Rule}, Reason: j.Reason, Since: now}
	switch {
	case j.Verdict == analysis.Outage, j.Verdict == analysis.Unhealthy, j.Verdict == analysis.NoData && s.Seen:
		h.StopsBake = true
		return h, true
	case j.Verdict == analysis.NoData:
		h.Since = r.StepBegan
	}
	return h, r.baked(now)
}

// gap holds where the measured share is not the confirmed one, by more than the plan's tolerance. How much traffic an
// audience is nobody knows: beside one there may be more.
func (r Rollout) gap(now time.Time, m Measured) (*Hold, bool) {
	if r.Plan.Tolerance == 0 || m.Share == nil || r.Phase == Shifting || r.matches(*m.Share) || len(r.Audience) > 0 && *m.Share > r.Want {
		return nil, false
	}
	return &Hold{Verdict: analysis.Inconclusive, Since: now, StopsBake: true,
		Reason: "requested " + r.Requested() + " of traffic, measured " + m.Share.String()}, true
}

func worse(a, b *Hold) *Hold {
	switch {
	case a == nil || b.Verdict.Worse(a.Verdict):
		return b
	case a.Verdict == b.Verdict:
		a.Rules = append(a.Rules, b.Rules...)
		if b.Since.Before(a.Since) {
			a.Since = b.Since
		}
	}
	return a
}

// holding begins, keeps or ends the hold. Its clock runs on while its reason changes, and the time it took from the
// bake is given back.
func (r Rollout) holding(now time.Time, h *Hold) Rollout {
	switch {
	case h == nil && r.Hold == nil:
	case h == nil:
		if r.Hold.StopsBake && !r.StepBegan.IsZero() {
			r.Held += now.Sub(later(r.Hold.Since, r.StepBegan))
		}
		r.Hold = nil
	case r.Hold == nil:
		r.Hold = h
	case r.Hold.Verdict != h.Verdict:
		h.Since, h.Told, h.StopsBake = r.Hold.Since, r.Hold.Told, r.Hold.StopsBake || h.StopsBake
		r.Hold = h
	}
	return r
}

// holdTick tells a person once about a hold that goes on, and fails the rollout where a rule says so.
func (r Rollout) holdTick(now time.Time) Rollout {
	if r.Hold == nil {
		return r
	}
	if at, ok := r.failHoldAt(); ok && !now.Before(at) {
		return r.fail(now, ByHoldTimeout, r.Hold.Rules, "held too long: "+r.Hold.Reason)
	}
	if !now.Before(r.tellHoldAt()) {
		r.Hold.Told = true
	}
	return r
}

// tellHoldAt is when a person is told about the hold: the earliest that one of its rules asks for.
func (r Rollout) tellHoldAt() time.Time {
	after := 10 * time.Minute
	for _, t := range r.Plan.Rules {
		if !slices.Contains(r.Hold.Rules, t.Rule) {
			continue
		}
		if r.Hold.Verdict == analysis.Outage {
			after = min(after, t.OutageAlertAfter)
		} else {
			after = min(after, t.AlertAfter)
		}
	}
	return r.Hold.Since.Add(after)
}

// failHoldAt is when the hold becomes a failure, where a rule has fail_after, or on_error: rollback in an outage.
func (r Rollout) failHoldAt() (time.Time, bool) {
	var after time.Duration
	for _, t := range r.Plan.Rules {
		limit := t.FailAfter
		if limit == 0 && t.OnError == rules.Rollback && r.Hold.Verdict == analysis.Outage {
			limit = t.OutageAlertAfter
		}
		if limit > 0 && slices.Contains(r.Hold.Rules, t.Rule) && (after == 0 || limit < after) {
			after = limit
		}
	}
	return r.Hold.Since.Add(after), after > 0
}

// baked reports whether the step's bake is over: its time, and the time that holds took from it.
func (r Rollout) baked(now time.Time) bool {
	if r.StepBegan.IsZero() {
		return false
	}
	return r.SkipBake || r.Full || !now.Before(r.StepBegan.Add(r.Plan.Steps[r.Step].Bake+r.Held))
}

// advance leaves a step that is baked and healthy.
func (r Rollout) advance(now time.Time) Rollout {
	switch {
	case r.Phase == AwaitingApproval:
	case r.Plan.Steps[r.Step].Approval && !r.Approved && !r.Full:
		r.Phase, r.Since = AwaitingApproval, now
	case r.Phase == Watching:
		return r.end(now, Promoted, "")
	default:
		if ok, _, _ := r.Plan.MayAdvance(now); ok {
			return r.shift(now, r.Step+1)
		}
	}
	return r
}

func find(js []analysis.Judgement, rule string) (analysis.Judgement, bool) {
	for _, j := range js {
		if j.Rule == rule {
			return j, true
		}
	}
	return analysis.Judgement{Rule: rule, Reason: "not read yet"}, false
}

func reasons(m Measured, failed []string) string {
	var out []string
	for _, name := range failed {
		j, _ := find(m.Verdicts, name)
		out = append(out, name+": "+j.Reason)
	}
	return strings.Join(out, "; ")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
