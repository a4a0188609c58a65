package deployments

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// Policy is one document of several nouns: for a slot, who moves its traffic, its steps, rules and actions.
type Policy struct {
	Slot
	Hash   string           // of the text it was read from
	Source *analysis.Source // nil: the daemon's own Prometheus
	Rules  rules.Set
	Plan   steps.Plan
	Vars   map[string]string // {{vars.NAME}}
	Flags  *flags.Source     // nil: Serin keeps the flags

	Ready        Ready        // what must hold before the first exposure, within Plan.ReadyWithin
	FirstRelease bool         // a deployer may be asked to take back a release that nothing was promoted before
	OnNewRelease OnNewRelease // Supersede by default
	Value        *Money       // what a request is worth, for reports; nil: not said
}

// DefaultEnvironment is the environment of a policy or release that names none.
const DefaultEnvironment = "production"

// ParsePolicies reads the policies of a file. With findings that are errors the policies must not be used.
func ParsePolicies(file string, text []byte) ([]Policy, diag.Findings) {
	sum := sha256.Sum256(text)
	f, docs := yamldoc.Parse(file, text)
	var out []Policy
	seen := map[Slot]bool{}
	for _, doc := range docs {
		p := parsePolicy(doc)
		p.Hash = hex.EncodeToString(sum[:])
		if seen[p.Slot] {
			doc.Errorf("keep one of them", "%s has two policies in this file", p.Slot)
		}
		seen[p.Slot] = true
		out = append(out, p)
	}
	if len(docs) == 0 && len(f.Findings) == 0 {
		f.Findings = append(f.Findings, diag.Finding{Position: diag.Position{File: file, Line: 1, Column: 1}, Severity: diag.Error,
			Message: "the file is empty", Cure: "write a policy: service, traffic and rules"})
	}
	return out, f.Findings.Sorted()
}

func parsePolicy(doc yamldoc.Value) Policy {
	m := doc.MapWith(keyCures, "apiVersion", "service", "environment", "prometheus", "traffic", "diluted", "flags", "steps", "defaults", "vars", "rules",
		"on_failure", "on_promote", "on_new_release", "first_release", "ready", "advance", "freeze", "confirm_within", "recovery",
		"value_per_request")
	p := Policy{Slot: Slot{Environment: DefaultEnvironment}, OnNewRelease: Supersede}
	if !m.IsMap() {
		return p
	}
	if m.Has("apiVersion") {
		m.Get("apiVersion").Word("serin/v1")
	}
	p.parseSlot(m)
	if m.Has("prometheus") {
		p.Source = analysis.ParseSource(m.Get("prometheus"))
	}
	p.Vars = parseVars(m.Get("vars"))
	p.Flags = flags.ParseSource(m.Get("flags"))
	if required(m, "rules", "write at least one rule: name, bad, total and max") {
		p.Rules = rules.ParseSet(m.Get("rules"), m.Get("defaults"), p.Vars)
	}
	if word, ok := m.Get("on_new_release").Word(string(Supersede), string(Queue), string(TurnAway)); ok {
		p.OnNewRelease = OnNewRelease(word)
	}
	word, ok := m.Get("first_release").Word("allow", "refuse")
	p.FirstRelease = ok && word == "allow"
	p.Value = parseValue(m.Get("value_per_request"))
	p.Plan = parsePlan(m, p.Flags)
	p.Plan.Rules = p.Rules.Tolerances()
	p.parseReady(m.Get("ready"))
	p.checkTogether(m)
	p.checkValue(m.Get("value_per_request"))
	return p
}

func (p *Policy) parseSlot(m yamldoc.Map) {
	const cure = "use 1 to 63 letters, digits, - and _"
	if required(m, "service", "add `service: checkout`") {
		if s, ok := m.Get("service").String(); ok {
			p.Service = s
			if !name.MatchString(s) {
				m.Get("service").Errorf(cure, "%q is no name", s)
			}
		}
	}
	if s, ok := m.Get("environment").String(); ok {
		p.Environment = s
		if !name.MatchString(s) {
			m.Get("environment").Errorf(cure, "%q is no name", s)
		}
	}
}

// keyCures are cures for keys that people write at the top of a policy.
var keyCures = map[string]string{
	"name": "write service", "kind": "leave it out: a policy has no kind", "metadata": "write service: NAME, and leave metadata out",
	"spec":   "write what stands under it at the top of the file",
	"groups": "these are Prometheus rules: write each of them, as it stands, as an item of `rules:`",
	"notify": "move it into the configuration file of `serin serve`: whom Serin tells stands there",
	"flag":   "write traffic: {flag: KEY}", "analysis": "write rules", "metrics": "write rules",
}

// required adds a finding when a key is missing, unless an unknown key may be a misspelling of it.
func required(m yamldoc.Map, key, cure string) bool {
	if !m.Has(key) && !m.Strange() {
		m.Errorf(cure, "`%s` is missing", key)
	}
	return m.Has(key)
}

var varName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func parseVars(v yamldoc.Value) map[string]string {
	keys := v.Keys()
	m := v.Map(keys...)
	out := map[string]string{}
	for _, k := range keys {
		if !varName.MatchString(k) {
			m.Key(k).Errorf("use letters, digits, _ and -", "%q is no name: {{vars.%s}} could not name it", k, k)
		}
		if s, ok := m.Get(k).String(); ok {
			out[k] = s
		}
	}
	return out
}

// RuleVars are the values of the rules' variables for a rollout by this policy.
func (p Policy) RuleVars(r steps.Rollout) rules.Vars {
	v := rules.Vars{Service: r.Service, Environment: r.Environment, Version: r.Version, StableVersion: r.Stable,
		Step: r.Step + 1, Weight: r.Want.Percent(), Extra: p.Vars}
	switch p.Plan.Mover.Kind {
	case steps.FeatureFlag:
		v.Variant, v.Flag = "on", p.Plan.Mover.Key
	case steps.VersionFlag:
		v.Variant, v.Flag = r.Version, p.Plan.Mover.Key
	case steps.EventMover, steps.ExecMover, steps.Observe:
	}
	return v
}

// others are the version and variant of the users without the new one: a feature flag is off for them, in the same binary.
func (p Policy) others(r steps.Rollout) rules.Vars {
	if p.Plan.Mover.Kind == steps.FeatureFlag {
		return rules.Vars{Version: r.Version, Variant: "off"}
	}
	return rules.Vars{Version: r.Stable, Variant: r.Stable}
}

// sourceURL is where a person finds the policy's Prometheus: no secrets; "" where it is the daemon's own.
func (p Policy) sourceURL() string {
	if p.Source == nil {
		return ""
	}
	u, err := url.Parse(p.Source.URL)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

// SourceID is the identity of the policy's Prometheus; "" is the daemon's own.
func (p Policy) SourceID() string {
	if p.Source == nil {
		return ""
	}
	return p.Source.ID()
}

// shareRule is the first rule whose total tells the versions apart: by it the measured share of traffic is known.
func (p Policy) shareRule() (rules.Rule, bool) {
	for _, r := range p.Rules {
		if r.Ratio() && (r.Total.Uses("version") || r.Total.Uses("variant")) {
			return r, true
		}
	}
	return rules.Rule{}, false
}

const (
	defaultConfirmWithin = 2 * time.Minute
	defaultRecovery      = 5 * time.Minute
)
