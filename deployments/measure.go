package deployments

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// measuring is what a runner is reading now: it follows from the state, and begins anew when the state asks for
// something else. Passing readings live here and nowhere else.
type measuring struct {
	steps.Measure
	policy Policy
	source string    // the policy's SourceID, which is not made anew at each instant
	set    rules.Set // the rules asked for
	after  time.Time // the last instant asked, or when measuring began
	began  time.Time // when measuring began
	latest map[string]analysis.Judgement
}

// same reports whether the state still asks for this.
func (m *measuring) same(o steps.Measure) bool {
	return m != nil && m.Seq == o.Seq && m.Since.Equal(o.Since) && m.Inside.Equal(o.Inside) && slices.Equal(m.Rules, o.Rules)
}

// dueAt is when the next readings are to be asked: lag after their instant.
func (m *measuring) dueAt(lag time.Duration) (time.Time, bool) {
	if m == nil || len(m.set) == 0 {
		return time.Time{}, false
	}
	return m.set.NextDue(m.after, m.source, m.policy.Hash).Add(lag), true
}

// due is the newest instant that has come, with every rule that was due since the last one asked.
func (m *measuring) due(now time.Time, lag time.Duration) (at time.Time, names []string) {
	m.setBack(now, lag)
	for {
		next := m.set.NextDue(m.after, m.source, m.policy.Hash)
		if next.Add(lag).After(now) {
			return at, names
		}
		for _, name := range m.set.Due(next, m.source, m.policy.Hash) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		at, m.after = next, next
	}
}

// wanted is what the state asks to read: its Measure, or, where only the measured share can confirm a request, nothing
// but the share.
func (r *runner) wanted(p Policy) (steps.Measure, bool) {
	rollout := r.entry.State.Rollout
	for _, e := range rollout.Pending() {
		if m, ok := e.(steps.Measure); ok {
			return m, true
		}
	}
	return steps.Measure{Seq: rollout.Seq, Since: rollout.Shifted}, rollout.Phase != steps.Pending && len(r.entry.wishes()) > 0 && confirmsByShare(p)
}

// confirmsByShare reports whether the measured share confirms a request: nobody can be asked, or a tolerance is stated. It
// says nothing of an audience: neither that it has the version, nor, while its users are silent, that it has it no more.
func confirmsByShare(p Policy) bool {
	switch m := p.Plan.Mover; m.Kind {
	case steps.Observe:
		return true
	case steps.EventMover:
		return p.Plan.Tolerance > 0 && !p.Plan.HasAudience()
	case steps.ExecMover:
		return len(m.Read) == 0 && p.Plan.Tolerance > 0
	case steps.VersionFlag, steps.FeatureFlag:
	}
	return false
}

// measure asks for the readings that are due.
func (r *runner) measure(ctx context.Context) {
	r.aim(ctx)
	m := r.measuring
	if m == nil || r.asked {
		return
	}
	at, names := m.due(r.w.now(), r.w.Lag)
	if len(names) == 0 {
		return
	}
	rollout := *r.entry.State.Rollout
	q := question{at: at, source: m.source, measure: m.Measure, requests: m.requests(rollout, names), reply: r.results}
	if rule, ok := m.policy.shareRule(); ok && m.policy.Plan.Tolerance > 0 && !m.Stable {
		share := request(m.policy, rollout, m.Measure, rule)
		share.Since = rollout.Shifted
		q.share = &share
	}
	r.asked = r.w.batches.ask(ctx, q)
}

// aim makes measuring follow the state.
func (r *runner) aim(ctx context.Context) {
	if !r.entry.State.Live() {
		r.measuring = nil
		return
	}
	p, err := r.w.policies.get(ctx, r.entry.Slot, r.entry.State.Policy)
	if err != nil {
		r.w.Log.ErrorContext(ctx, "policy", slog.String("slot", r.entry.Slot.String()), slog.Any("error", err))
		return
	}
	want, ok := r.wanted(p)
	switch {
	case !ok:
		r.measuring = nil
	case r.measuring.same(want):
		r.measuring.Measure = want
	default:
		r.measuring = r.begin(want, p)
	}
}

// begin is what is read from now on. Of a worker that is gone the last instant is taken over too: nobody may have read
// it, and the next may be a whole interval away.
func (r *runner) begin(want steps.Measure, p Policy) *measuring {
	now := r.w.now()
	m := &measuring{Measure: want, policy: p, source: p.SourceID(), set: p.Rules, after: now.Add(-r.w.Lag), began: now, latest: map[string]analysis.Judgement{}}
	if len(want.Rules) > 0 && len(want.Rules) < len(p.Rules) { // each rule once: those of the policy are shared
		m.set = slices.DeleteFunc(slices.Clone(p.Rules), func(rule rules.Rule) bool { return !slices.Contains(want.Rules, rule.Name) })
	}
	var interval time.Duration
	for _, rule := range m.set {
		interval = max(interval, rule.Schedule.Every())
	}
	if missed, since := m.after.Add(-interval), r.entry.State.Rollout.Since; since.Before(m.after) {
		m.after = missed
		if since.After(missed) {
			m.after = since
		}
	}
	return m
}

// requests asks for the named rules, as far as the state wants them.
func (m *measuring) requests(r steps.Rollout, names []string) []analysis.Request {
	var out []analysis.Request
	for _, name := range names {
		if rule, ok := m.set.Find(name); ok && slices.Contains(m.Rules, name) {
			out = append(out, request(m.policy, r, m.past(), rule))
		}
	}
	return out
}

// request asks for one rule. After a rollback it asks for what serves the users then.
func request(p Policy, r steps.Rollout, m steps.Measure, rule rules.Rule) analysis.Request {
	vars := p.RuleVars(r)
	if m.Stable {
		vars.Version, vars.Variant = p.others(r).Version, p.others(r).Variant
	}
	return analysis.Request{Source: p.Source, Rule: rule, Vars: vars, Others: p.others(r), Unweighted: r.AudienceOnly(), Since: m.Since, Inside: m.Inside, Seen: slices.Contains(m.Seen, rule.Name)}
}

// measured takes an answer, unless the state asks for something else by now.
func (r *runner) measured(ctx context.Context, a answer) {
	r.asked = false
	m := r.measuring
	if !m.same(a.measure) {
		return
	}
	r.mu.Lock()
	r.w.rules.Add(int64(r.readings.add(r.entry.State.Rollout.ID, a.judgements, kept(r.w.rules.Load()))))
	r.mu.Unlock()
	for _, j := range a.judgements {
		m.latest[j.Rule] = j
	}
	share, known := measuredShare(a)
	rollout := r.entry.State.Rollout
	if known && confirmsByShare(m.policy) && len(r.entry.wishes()) > 0 && within(share, rollout.Want, m.policy.Plan.Tolerance) {
		r.handle(ctx, steps.Applied{Rollout: rollout.ID, Seq: m.Seq, Target: steps.Traffic, Observed: share, Confirmed: true, How: "measured " + share.String()})
		return
	}
	in := steps.Measured{Rollout: rollout.ID, At: a.at, Seq: m.Seq}
	for _, name := range m.Rules {
		if j, ok := m.latest[name]; ok {
			in.Verdicts = append(in.Verdicts, j)
		}
	}
	if known && !rollout.StepBegan.IsZero() && a.share.Window >= rulesWindow(m.policy) {
		in.Share = &share
	}
	r.handle(ctx, in)
}

// measuredShare is the share of an answer in basis points. A version without series has none of the traffic.
func measuredShare(a answer) (steps.Share, bool) {
	switch {
	case a.share == nil:
		return 0, false
	case a.share.Gone:
		return 0, true
	}
	return steps.Share(a.share.Share*float64(steps.All) + 0.5), a.share.OK
}

// within is the plan's comparison of a measured share; nothing left is exactly 0.
func within(share, want, tolerance steps.Share) bool {
	if want == 0 {
		return share == 0
	}
	return max(share-want, want-share) <= tolerance
}

// rulesWindow is how long the share must have been measured before a gap means anything.
func rulesWindow(p Policy) time.Duration {
	rule, _ := p.shareRule()
	return rule.Window
}
