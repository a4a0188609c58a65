package rules

import (
	"slices"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// Alert is a Prometheus alerting rule as it stands. The rule's Query is its expression without the comparison that makes
// it fire, so that its value can be shown; where no comparison with a number does, it is the whole expression.
type Alert struct {
	Name string
	Expr string // as written

	Fires     Comparison // which values fire
	Threshold float64    // of Fires
	// Data says whether there is something to judge where no value of Query says it: a series of it that is not 0.
	// It is empty where Query alone says it.
	Data Template

	Labels, Annotations map[string]string
}

// Comparison says which values make an alert fire, by PromQL's operator. FiresAny is the zero value.
type Comparison string

// The comparisons.
const (
	FiresAny   Comparison = "" // every series of the answer fires
	FiresAbove Comparison = ">"
	FiresFrom  Comparison = ">="
	FiresBelow Comparison = "<"
	FiresUpTo  Comparison = "<="
	FiresAt    Comparison = "=="
	FiresOff   Comparison = "!="
)

// Met reports whether a value fires beside the threshold, as PromQL compares: NaN differs from everything.
func (c Comparison) Met(value, threshold float64) bool {
	switch c {
	case FiresAny:
		return true
	case FiresAbove:
		return value > threshold
	case FiresFrom:
		return value >= threshold
	case FiresBelow:
		return value < threshold
	case FiresUpTo:
		return value <= threshold
	case FiresAt:
		return value == threshold
	case FiresOff:
		return value != threshold
	}
	return true
}

// alertKeys are the keys of an alerting rule, besides `for`.
var alertKeys = []string{"alert", "expr", "keep_firing_for", "labels", "annotations"}

// notOfAlerts are keys of the other forms.
var notOfAlerts = []string{"bad", "total", "query", "min", "max", "critical_max", "critical_min", "compare", "uses", "with", "min_samples", "window"}

// alert reads an alerting rule.
func (p *ruleParser) alert() {
	for _, key := range notOfAlerts {
		if p.Has(key) && key != "min_samples" {
			p.Key(key).Errorf("leave it out, or write the rule as bad and total, or as a query", "an alert has no %s: its expression says when it fires", key)
		} else if p.Has(key) {
			p.Key(key).Errorf("write the rule as bad and total", "an alert counts no samples")
		}
	}
	r := &p.rule
	if r.MinSamples = 0; !p.Has("for") {
		r.For = 0 // as in Prometheus
	}
	r.KeepFiring, _ = p.Get("keep_firing_for").Duration()
	r.PerSeries = r.For > 0 || r.KeepFiring > 0
	r.Alert = &Alert{Labels: p.texts("labels"), Annotations: p.texts("annotations")}
	switch {
	case !p.Has("alert"):
		p.missing("add `alert: NAME`", "there is `expr:`, but no `alert:`")
		return
	case !p.Has("expr"):
		p.missing("add `expr:`, as in Prometheus", "there is `alert:`, but no `expr:`")
		return
	}
	r.Alert.Name, _ = p.Get("alert").String()
	p.expression(p.Get("expr"))
	p.alertSeverity()
	p.action()
}

// texts reads a mapping of texts.
func (p *ruleParser) texts(key string) map[string]string {
	v := p.Get(key)
	keys := v.Keys()
	m := v.Map(keys...)
	out := map[string]string{}
	for _, k := range keys {
		if s, ok := m.Get(k).String(); ok {
			out[k] = s
		}
	}
	return out
}

// expression takes an alert's expression apart.
func (p *ruleParser) expression(v yamldoc.Value) {
	c, ok := p.compile(v)
	if !ok {
		return
	}
	p.lintVersion(v, c)
	s, problem := shapeOf(c)
	if problem != nil {
		v.ErrorAt(problem.Offset, problem.Cure, "%s", problem.Message)
		return
	}
	a := p.rule.Alert
	a.Expr, a.Fires, a.Threshold = c.text.original, s.fires, s.threshold
	for _, part := range []struct {
		text string
		into *Template
	}{{s.value, &p.rule.Query}, {s.data, &a.Data}} {
		if part.text == "" {
			continue
		}
		made, problems := compile(part.text)
		if !p.report(v, made, problems) {
			return
		}
		*part.into = made.template
	}
	if s.guard != "" {
		v.WarnAt(s.at, "write on_no_data: pass, if the release is healthy then", "where %s does not hold there is no data, and the rollout waits", s.guard)
	}
	if s.fires == FiresAny {
		v.WarnAt(s.at, "write the comparison with a number last, or write the rule as a query", "any series of the answer fires, and no answer is healthy while one of the series asked for is there")
	}
}

// alertSeverity takes over the severity that the alert's labels name.
func (p *ruleParser) alertSeverity() {
	known := map[string]Severity{"critical": Critical, "page": Critical, "warning": Warning, "info": Info}
	if s, ok := known[p.rule.Alert.Labels["severity"]]; ok && p.rule.Severity == "" {
		p.rule.Severity = s
	}
}

// actions are the words by which alerts in the wild say what shall follow.
var actions = map[string]Response{
	"auto_rollback": Rollback, "rollback": Rollback, "abort": Rollback,
	"pause": Hold, "hold": Hold,
	"notify": Notify, "alert_only": Notify, "investigate": Notify,
}

// Action is what follows from an alert by an `action` among its annotations or labels. Any text but the known words is
// for people. It is an error when the alert fires on success.
func (a Alert) Action() (r Response, known, promotes bool) {
	for _, word := range []string{a.Annotations["action"], a.Labels["action"]} {
		if slices.Contains([]string{"promote", "auto_promote"}, word) {
			return "", false, true
		}
		if found, ok := actions[word]; ok && !known {
			r, known = found, true
		}
	}
	return r, known, false
}

func (p *ruleParser) action() {
	response, known, promotes := p.rule.Alert.Action()
	dry, _ := p.Get("dry_run").Bool()
	switch {
	case promotes:
		p.Key("alert").Errorf("leave it out: a rollout goes on by itself while its rules are healthy", "the alert fires on success (action: promote), and a rule fails when it fires")
	case known && !p.Has("on_fail") && !dry:
		p.rule.OnFail = response
	}
}
