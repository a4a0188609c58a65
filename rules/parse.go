package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// MaxRules bounds the rules of a policy, so that a short file of YAML aliases cannot become a long one. All the alerting
// rules of an organisation fit in: a public collection of them has about a thousand.
const MaxRules = 2000

// ruleKeys are the keys of a rule, besides the settings.
var ruleKeys = append([]string{"name", "bad", "total", "query", "min", "max", "critical_max", "critical_min", "compare", "on_fail", "severity", "dry_run", "steps", "uses", "with"}, append(alertKeys, settingKeys...)...)

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

var ruleName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,63}$`)

// ParseSet reads the sections `rules:` and `defaults:` of a policy; vars are the policy's own variables. What is wrong
// becomes findings of the file the values come from. What was understood is returned all the same, and must not be used
// when there are errors.
func ParseSet(list, defaults yamldoc.Value, vars map[string]string) Set {
	base := readSettings(defaults.MapWith(defaultCures, settingKeys...), defaultSettings())
	items := list.List()
	switch {
	case list.IsList() && len(items) == 0:
		list.Errorf("write at least one rule", "there are no rules")
	case len(items) > MaxRules:
		list.Errorf("split the policy", "there are %d rules, more than %d", len(items), MaxRules)
		return nil
	}
	var set Set
	first := map[string]diag.Position{}
	for _, item := range items {
		p := ruleParser{Map: item.MapWith(ruleCures, ruleKeys...), vars: vars}
		if !item.IsMap() {
			continue
		}
		p.rule.At = item.Pos()
		p.name(first)
		p.settings(base)
		p.form()
		p.lintBudgets()
		set = append(set, p.rule)
	}
	return set
}

// ruleParser reads one rule.
type ruleParser struct {
	yamldoc.Map
	vars map[string]string
	rule Rule
}

func (p *ruleParser) name(first map[string]diag.Position) {
	v := p.Get("name")
	for _, form := range []string{"uses", "alert"} { // a preset and an alert name their rule
		if !v.Exists() && p.Has(form) {
			v = p.Get(form)
		}
	}
	if !v.Exists() {
		if p.Has("expr") {
			return // an alert without `alert:`, which is told there
		}
		p.missing("add `name: error-rate`", "the rule has no name")
		return
	}
	name, ok := v.String()
	if !ok {
		return
	}
	if !p.Has("name") {
		name = Name(name)
	}
	p.rule.Name, p.rule.Rule = name, name
	if !ruleName.MatchString(name) {
		v.Errorf("use 1 to 63 letters, digits, _ . and -", "%q is no name", name)
		return
	}
	if at, twice := first[name]; twice {
		v.Errorf("give each rule its own name", "%q is also the name of the rule at line %d", name, at.Line)
		return
	}
	first[name] = v.Pos()
}

// missing tells of an absent key, unless an unknown one may be it.
func (p *ruleParser) missing(cure, format string, args ...any) {
	if !p.Strange() {
		p.Errorf(cure, format, args...)
	}
}

func (p *ruleParser) settings(base settings) {
	s := readSettings(p.Map, base)
	r := &p.rule
	r.Schedule, r.Window, r.For, r.Warmup = s.schedule, s.window, s.holdFor, s.warmup
	if r.InARow, r.InAStep = s.inARow, s.inAStep; r.InARow+r.InAStep > 0 && !s.forWritten {
		r.For = 0 // the budgets decide, unless the policy wants both
		if r.InARow == 0 {
			r.InARow = r.InAStep // a row as long as the step's budget is more than it bears anyway
		}
	}
	r.Steps = p.weights(p.Get("steps"))
	r.OnNoData, r.OnDataLost, r.OnFail = s.onNoData, s.onDataLost, Rollback
	r.AlertAfter, r.OutageAlertAfter, r.FailAfter = s.alertAfter, s.outageAlertAfter, s.failAfter
	r.MinSamples = s.minSamples
	if w, ok := p.Get("on_fail").Word(string(Rollback), string(Hold), string(Notify)); ok {
		r.OnFail = Response(w)
	}
	if w, ok := p.Get("severity").Word(string(Info), string(Warning), string(Critical)); ok {
		r.Severity = Severity(w)
	}
	if s.onError == Rollback {
		r.OnError = Rollback
	}
	p.dryRun()
}

// Name makes a rule's name of a text: what no name can have becomes a dash, and what is too long is cut off.
func Name(text string) string {
	name := notInNames.ReplaceAllString(text, "-")
	return name[:min(len(name), 63)]
}

// dryRun makes a rule that is measured and shown, and stands against nothing.
func (p *ruleParser) dryRun() {
	if dry, ok := p.Get("dry_run").Bool(); !ok || !dry {
		return
	}
	if p.Has("on_fail") {
		p.Key("on_fail").Warnf("leave out one of them", "on_fail has no effect beside dry_run")
	}
	p.rule.OnFail, p.rule.Severity = Notify, Info
}

// weights reads the weights at which the rule is read. Whether the policy has such steps is seen there.
func (p *ruleParser) weights(v yamldoc.Value) []float64 {
	var out []float64
	for _, item := range v.List() {
		text, ok := item.String()
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%")), 64)
		if err != nil || !(n > 0 && n <= 100) {
			item.Errorf("write weights of the policy's steps, as in [25, 50, 100]", "%q is no weight", text)
			continue
		}
		out = append(out, n)
	}
	if v.IsList() && len(v.List()) == 0 {
		v.Errorf("leave it out: the rule is then read in all steps", "the rule is read in no step")
	}
	return out
}

// form reads what the rule measures: a ratio, or a value.
func (p *ruleParser) form() {
	ratio, query := p.Has("bad") || p.Has("total"), p.Has("query")
	switch {
	case p.Has("alert") || p.Has("expr"):
		p.alert()
	case p.Has("uses"):
		p.preset()
	case p.Has("with"):
		p.Key("with").Errorf("add `uses: http/error-rate`", "there is `with:`, but no `uses:`")
	case ratio && query:
		p.Key("query").Errorf("keep bad and total, or keep query", "a rule measures a ratio or a value, not both")
	case ratio:
		p.ratio()
	case query:
		p.query()
	default:
		p.missing("write `bad:` and `total:` for a ratio, `query:` for a value, `uses:` for a preset, or `alert:` and `expr:`", "the rule measures nothing")
	}
}

func (p *ruleParser) ratio() {
	switch {
	case !p.Has("bad"):
		p.missing("add `bad:`, which selects the bad ones among them", "there is `total:`, but no `bad:`")
		return
	case !p.Has("total"):
		p.missing("add `total:`, which selects all events, good and bad", "there is `bad:`, but no `total:`")
		return
	}
	bad, badOK := p.count(p.Get("bad"), false)
	total, totalOK := p.count(p.Get("total"), true)
	p.rule.Bad, p.rule.Total, p.rule.Counts = bad.template, total.template, bad.counts
	if badOK && totalOK {
		if bad.counts != total.counts {
			p.Get("total").Errorf("write both alike, best as plain selectors", "%s, but `bad` %s", total.counts, bad.counts)
		}
		p.idleWindow(bad.template, total.template)
	}
	p.ratioLimits()
	p.lintRatio()
}

func (p *ruleParser) query() {
	v := p.Get("query")
	c, ok := p.compile(v)
	p.rule.Query = c.template
	p.rule.MinSamples = 0
	p.valueLimits()
	p.compare(p.Get("compare"))
	if ok {
		p.lintQuery(v, c)
		p.lintLimits(c)
		p.idleWindow(c.template)
	}
}

// idleWindow warns of a window that nothing uses.
func (p *ruleParser) idleWindow(templates ...Template) {
	for _, t := range templates {
		if t.Uses("window") {
			return
		}
	}
	if p.Has("window") {
		p.Key("window").Warnf("write [{{window}}] for the range", "the window has no effect: nothing here uses {{window}}")
	}
}

// String says what is counted, for findings.
func (c Counting) String() string {
	switch c {
	case CountWindow:
		return "counts the events of {{window}}"
	case CountPerSecond:
		return "counts events per second"
	case CountFixed:
		return "counts without {{window}}"
	}
	return fmt.Sprintf("Counting(%d)", uint8(c))
}
