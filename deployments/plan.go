package deployments

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// defaultSteps walk 5, 25, 50, 100 %.
func defaultSteps() []steps.Step {
	return []steps.Step{
		{Share: steps.Percent(5), Bake: 5 * time.Minute}, {Share: steps.Percent(25), Bake: 10 * time.Minute},
		{Share: steps.Percent(50), Bake: 10 * time.Minute}, {Share: steps.All},
	}
}

func parsePlan(m yamldoc.Map, source *flags.Source) steps.Plan {
	p := steps.Plan{Steps: defaultSteps(), ConfirmWithin: defaultConfirmWithin, Recovery: defaultRecovery}
	if m.Has("traffic") || !m.Strange() {
		p.Mover, p.Tolerance, _ = steps.ParseMover(m.Get("traffic"))
	}
	if m.Has("steps") {
		p.Steps = parseSteps(m.Get("steps"), noAudience(p.Mover, source))
	}
	p.Failure = parseFailure(m.Get("on_failure"))
	p.OnPromote = parseActions(m.Get("on_promote"), steps.PublishEvent)
	p.Advance, p.Freeze = parseAdvance(m.Get("advance")), parseFreeze(m.Get("freeze"))
	if d, ok := m.Get("confirm_within").Duration(); ok {
		if p.ConfirmWithin = d; d <= 0 {
			m.Get("confirm_within").Errorf("write for example 2m", "nothing is confirmed in no time")
		}
	}
	if d, ok := m.Get("recovery").Duration(); ok {
		p.Recovery = d
	}
	return p
}

// parseFailure reads `on_failure: {do: […], else: […]}`; by default the release is taken back.
func parseFailure(v yamldoc.Value) steps.Failure {
	f := steps.Failure{Do: []steps.Action{{Kind: steps.RollbackAction}}}
	if !v.Exists() {
		return f
	}
	m := v.Map("do", "else")
	all := []steps.ActionKind{steps.RollbackAction, steps.FlagOff, steps.PublishEvent}
	if m.Has("do") {
		if f.Do = parseActions(m.Get("do"), all...); len(f.Do) == 0 && m.Get("do").IsList() && len(m.Get("do").List()) == 0 {
			m.Get("do").Errorf("write [rollback]", "nothing would be done on failure")
		}
	}
	f.Else = parseActions(m.Get("else"), all...)
	return f
}

var flagKey = regexp.MustCompile(`^[^\s{}\pC]{1,256}$`)

var eventName = regexp.MustCompile(`^[a-z0-9_-]{1,40}\.[a-z0-9_-]{1,40}$`)

// parseActions reads a list of actions of the allowed kinds: rollback, {flag: KEY}, {event: NAME}.
func parseActions(v yamldoc.Value, allowed ...steps.ActionKind) []steps.Action {
	if !v.Exists() {
		return nil
	}
	var words, keys []string
	for _, k := range allowed {
		if k == steps.RollbackAction {
			words = append(words, string(k))
		} else {
			keys = append(keys, string(k))
		}
	}
	var out []steps.Action
	for _, item := range v.List() {
		if !item.IsMap() {
			if w, ok := item.Word(append(words, keys...)...); ok && w == string(steps.RollbackAction) {
				out = append(out, steps.Action{Kind: steps.RollbackAction})
			} else if ok {
				item.Errorf("write {"+w+": NAME}", "%s needs a name", w)
			}
			continue
		}
		m := item.Map(keys...)
		if len(item.Keys()) == 0 {
			item.Errorf("write {"+keys[0]+": NAME}", "the action does nothing")
		}
		for _, k := range keys {
			if a, ok := parseAction(m, steps.ActionKind(k)); ok {
				out = append(out, a)
			}
		}
	}
	return out
}

func parseAction(m yamldoc.Map, k steps.ActionKind) (steps.Action, bool) {
	key, ok := m.Get(string(k)).String()
	if !ok {
		return steps.Action{}, false
	}
	if k == steps.PublishEvent && !eventName.MatchString(key) {
		m.Get(string(k)).Errorf("write two words with a dot between, for example checkout.failed", "%q is no event name", key)
		return steps.Action{}, false
	}
	if k == steps.FlagOff && !flagKey.MatchString(key) {
		m.Get(string(k)).Errorf("a flag's key has no spaces and no {{…}}: it is used as written", "%q is no name", key)
		return steps.Action{}, false
	}
	return steps.Action{Kind: k, Key: key}, true
}

// checkTogether finds what only shows when the sections are read together.
func (p *Policy) checkTogether(m yamldoc.Map) {
	if diluted, ok := m.Get("diluted").Bool(); p.Plan.Mover.Kind == steps.FeatureFlag && !(ok && diluted) {
		p.checkVariant(m)
	}
	if _, ok := p.shareRule(); p.Plan.Mover.Kind == steps.Observe && !ok && len(p.Rules) > 0 {
		m.Get("traffic").Errorf("add a rule with bad and total that use {{version}}", "nothing measures the share of the new version")
	}
	if p.Plan.Mover.Kind == steps.Observe && p.Plan.Tolerance == 0 {
		p.Plan.Tolerance = steps.Percent(3)
	}
	for _, a := range slices.Concat(p.Plan.Failure.Do, p.Plan.Failure.Else) {
		if a.Kind == steps.FlagOff && a.Key == p.Plan.Mover.Key && p.Plan.Mover.Kind == steps.FeatureFlag {
			m.Get("on_failure").Errorf("write rollback: it turns this flag off", "the flag %s moves the traffic already", a.Key)
		}
	}
	p.checkFlags(m)
	p.checkGuards(m)
	p.checkWeights(m)
	p.lintTimes(m.Get("rules"))
}

// checkFlags looks whether the flags' system keeps such flags.
func (p *Policy) checkFlags(m yamldoc.Map) {
	used := p.Plan.Mover.Kind == steps.FeatureFlag || p.Plan.Mover.Kind == steps.VersionFlag ||
		slices.ContainsFunc(slices.Concat(p.Plan.Failure.Do, p.Plan.Failure.Else), func(a steps.Action) bool { return a.Kind == steps.FlagOff })
	switch {
	case p.Flags == nil:
	case !used:
		m.Key("flags").Warnf("leave it out, or write `traffic: {flag: KEY}`", "the policy has no flag")
	case p.Flags.Kind == flags.Unleash && p.Plan.Mover.Kind == steps.VersionFlag:
		m.Get("traffic").Errorf("write `flag: KEY`, or leave out `flags:` and let Serin keep the flag", "Unleash keeps flags that are on or off, and this one has versions")
	case p.Flags.Kind == flags.Unleash && slices.ContainsFunc(p.Plan.Steps, func(s steps.Step) bool { return s.Share%100 != 0 }):
		m.Get("steps").Errorf("write whole percents", "Unleash gives a flag to whole percents of users")
	}
}

// checkWeights demands that rules are read in steps that there are.
func (p *Policy) checkWeights(m yamldoc.Map) {
	for _, r := range p.Rules {
		for _, w := range r.Steps {
			if !slices.ContainsFunc(p.Plan.Steps, func(s steps.Step) bool { return s.Share.Percent() == w }) {
				m.Get("rules").Add(diag.Finding{Position: r.At, Severity: diag.Error, Cure: "name weights of the policy's steps",
					Message: fmt.Sprintf("rule %s is read at %v %%, and there is no such step", r.Name, w)})
			}
		}
	}
}

// checkGuards demands a rule that can stop a release.
func (p *Policy) checkGuards(m yamldoc.Map) {
	guards := 0
	for _, r := range p.Rules {
		if r.OnFail != rules.Notify {
			guards++
		}
	}
	if len(p.Rules) > 0 && guards == 0 {
		m.Get("rules").Errorf("give one rule on_fail: rollback or hold", "no rule does more than notify: every release would be promoted")
	}
}

// checkVariant demands that the rules of a feature flag tell its variants apart. Both groups run one binary: without
// {{variant}} a fault in 5 % of traffic is mixed with the other 95 %.
func (p *Policy) checkVariant(m yamldoc.Map) {
	for _, r := range p.Rules {
		if r.Query.Uses("variant") || r.Total.Uses("variant") || r.Bad.Uses("variant") {
			return
		}
	}
	if len(p.Rules) > 0 {
		m.Get("traffic").Errorf("use {{variant}} in a rule, or write `diluted: true`",
			"no rule tells the flag's variants apart: both run one binary, so at 5 %% of traffic 20 %% of errors behind the flag look like 1 %%")
	}
}
