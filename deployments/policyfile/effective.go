package policyfile

import (
	"cmp"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// Effective is the document that says the same as a policy, with every default filled in. Selectors and presets are
// written out as the queries that are asked, and settings stand at each rule. What has no value where nothing is written
// (fail_after, severity, critical_max) stays away.
func Effective(p deployments.Policy) Document {
	d := Document{
		APIVersion: "serin/v1", Service: Name(p.Service), Environment: Name(p.Environment),
		Prometheus: prometheus(p.Source), Traffic: traffic(p.Plan), Flags: flagSource(p), Diluted: diluted(p),
		Steps: planSteps(p.Plan.Steps), Defaults: defaults(p.Rules),
		OnFailure:    &OnFailure{Do: actions(p.Plan.Failure.Do), Else: actions(p.Plan.Failure.Else)},
		OnNewRelease: string(p.OnNewRelease), FirstRelease: "refuse", Ready: ready(p),
		ConfirmWithin: duration(p.Plan.ConfirmWithin), Recovery: duration(p.Plan.Recovery), Vars: texts(p.Vars),
	}
	if p.Value != nil {
		d.Value = Money(p.Value.String())
	}
	if p.FirstRelease {
		d.FirstRelease = "allow"
	}
	for _, r := range p.Rules {
		d.Rules = append(d.Rules, rule(r))
	}
	for _, a := range p.Plan.OnPromote {
		d.OnPromote = append(d.OnPromote, PromoteAction{Event: a.Key})
	}
	if w := p.Plan.Advance; w != nil {
		d.Advance = &Advance{Open: w.Open, For: duration(w.For)}
	}
	for _, w := range p.Plan.Freeze {
		d.Freeze = append(d.Freeze, freeze(w))
	}
	return d
}

func prometheus(s *analysis.Source) *Prometheus {
	if s == nil {
		return nil
	}
	p := &Prometheus{URL: URL(s.URL), Timeout: duration(cmp.Or(s.Timeout, analysis.DefaultTimeout)), BearerTokenFile: s.BearerTokenFile, Headers: texts(s.Headers)}
	if s.BasicUser != "" {
		p.BasicAuth = &BasicAuth{Username: Text(s.BasicUser), PasswordFile: s.BasicPasswordFile}
	}
	t := TLS{CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile, ServerName: s.ServerName, InsecureSkipVerify: Bool(s.InsecureSkipVerify)}
	if t != (TLS{}) {
		p.TLS = &t
	}
	return p
}

func traffic(p steps.Plan) *Traffic {
	t := &Traffic{}
	switch m := p.Mover; m.Kind {
	case steps.VersionFlag:
		t.VersionFlag = m.Key
	case steps.FeatureFlag:
		t.Flag = m.Key
	case steps.EventMover:
		t.Event = Name(m.Key)
	case steps.ExecMover:
		t.Exec = &Exec{Set: list(m.Set), Read: list(m.Read)}
	case steps.Observe:
		t.Observe = true
	}
	if p.Tolerance > 0 {
		t.Tolerance = Percent(number(p.Tolerance.Percent()) + "%")
	}
	return t
}

// diluted is what a policy of a feature flag must have said whose rules do not tell the variants apart.
func diluted(p deployments.Policy) Bool {
	for _, r := range p.Rules {
		if r.Query.Uses("variant") || r.Total.Uses("variant") || r.Bad.Uses("variant") {
			return false
		}
	}
	return p.Plan.Mover.Kind == steps.FeatureFlag
}

func planSteps(all []steps.Step) []Step {
	var out []Step
	for _, s := range all {
		step := Step{Audience: audience(s.Audience), Bake: duration(s.Bake), Approval: "none"}
		if s.Share > 0 {
			step.Weight = Weight(number(s.Share.Percent()))
		}
		if s.Approval {
			step.Approval = "manual"
		}
		out = append(out, step)
	}
	return out
}

// audience is that of a step: one group, or none.
func audience(a steps.Audience) map[string]Patterns {
	out := map[string]Patterns{}
	for _, group := range a {
		for name, patterns := range group {
			out[name] = list(patterns)
		}
	}
	return out
}

// defaults are those that a rule cannot write itself: an alert has no window of its own.
func defaults(set rules.Set) *Defaults {
	for _, r := range set {
		if r.Alert != nil {
			return &Defaults{Settings{Window: duration(r.Window)}}
		}
	}
	return nil
}

func actions(all []steps.Action) []Action {
	var out []Action
	for _, a := range all {
		switch a.Kind {
		case steps.RollbackAction:
			out = append(out, Action{Rollback: true})
		case steps.FlagOff:
			out = append(out, Action{Flag: a.Key})
		case steps.PublishEvent:
			out = append(out, Action{Event: a.Key})
		}
	}
	return out
}

func ready(p deployments.Policy) *Ready {
	if p.Plan.ReadyWithin == 0 {
		return &Ready{None: true}
	}
	return &Ready{Query: Query(p.Ready.Query.Text()), HTTP: URL(p.Ready.HTTP), Within: duration(p.Plan.ReadyWithin)}
}

func freeze(w steps.Window) Freeze {
	if w.Open != "" {
		return Freeze{Open: w.Open, For: duration(w.For)}
	}
	return Freeze{From: w.From.Format(time.RFC3339Nano), To: w.To.Format(time.RFC3339Nano)}
}

func list(all []string) []Text {
	var out []Text
	for _, s := range all {
		out = append(out, Text(s))
	}
	return out
}

func texts(all map[string]string) map[string]Text {
	out := map[string]Text{}
	for key, s := range all {
		out[key] = Text(s)
	}
	return out
}
