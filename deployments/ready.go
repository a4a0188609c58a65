package deployments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// Ready is how a new version shows that it can take traffic. The zero value looks for its series, where rules name
// {{version}}.
type Ready struct {
	Query rules.Template // a condition: its answer has series, and none of them is 0
	HTTP  string         // a URL that answers GET with a status of 2xx; {{version}}, {{service}} and {{environment}} are filled in
}

// defaultReadyWithin is how long a new version may take to be ready.
const defaultReadyWithin = 5 * time.Minute

// parseReady reads `ready: {query: …, within: 5m}`, `ready: {http: …}` or `ready: none`. Without it, the series of the
// version are looked for where rules name it.
func (p *Policy) parseReady(v yamldoc.Value) {
	p.Plan.ReadyWithin = defaultReadyWithin
	if v.Exists() && !v.IsMap() {
		p.Plan.ReadyWithin = 0
		if word, ok := v.String(); ok && word != "none" {
			v.Errorf("write none, {query: PROMQL, within: 5m} or {http: URL}", "%q does not say how to see that the version is ready", word)
		}
		return
	}
	m := v.Map("query", "http", "within")
	if d, ok := m.Get("within").Duration(); ok {
		if p.Plan.ReadyWithin = d; d <= 0 {
			m.Get("within").Errorf("write for example 5m, or `ready: none`", "nothing is ready in no time")
		}
	}
	switch {
	case m.Has("query") && m.Has("http"):
		m.Key("http").Errorf("keep one of them", "ready names a query and a URL")
	case m.Has("query"):
		p.Ready.Query, _ = rules.ParseCondition(m.Get("query"), p.Vars)
	case m.Has("http"):
		p.Ready.HTTP = parseReadyURL(m.Get("http"))
	case len(p.Rules.Series()) == 0:
		p.Plan.ReadyWithin = 0
		if v.Exists() {
			v.Errorf("add `query:` or `http:`, or use {{version}} in a rule", "there is nothing to see by that the version is ready")
		}
	}
}

var readyVariable = regexp.MustCompile(`\{\{\s*(version|service|environment)\s*\}\}`)

func parseReadyURL(v yamldoc.Value) string {
	text, ok := v.String()
	if !ok {
		return ""
	}
	filled := readyVariable.ReplaceAllString(text, "x")
	if u, err := url.Parse(filled); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(filled, "{{") {
		v.Errorf(`write for example "http://checkout-{{version}}.internal:8080/healthz"`, "%q is no URL", text)
	}
	return text
}

// inURL are the values that can stand anywhere in a URL and mean nothing there.
var inURL = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// fillURL puts the values of a rollout into a URL. A release must not choose the host it is asked on: what means
// something in a URL is refused.
func fillURL(text string, v rules.Vars) (string, error) {
	var errs []error
	out := readyVariable.ReplaceAllStringFunc(text, func(found string) string {
		value := map[string]string{"version": v.Version, "service": v.Service, "environment": v.Environment}[readyVariable.FindStringSubmatch(found)[1]]
		if !inURL.MatchString(value) {
			errs = append(errs, fmt.Errorf("%q cannot stand in the URL of ready: use a query", value))
		}
		return value
	})
	return out, errors.Join(errs...)
}

// probe asks once whether the new version of a rollout is ready for traffic.
func (w *Worker) probe(ctx context.Context, wish Wish) (steps.Observed, error) {
	p, err := w.policies.get(ctx, wish.Slot, wish.policy)
	if err != nil {
		return steps.Observed{}, err
	}
	vars := p.RuleVars(steps.Rollout{Service: wish.Service, Environment: wish.Environment, Version: wish.Exposure.Version, Stable: wish.Exposure.Stable,
		Want: p.Plan.Steps[0].Share})
	if p.Ready.HTTP != "" {
		return w.reach(ctx, p.Ready.HTTP, vars)
	}
	vars.Window = defaultReadyWithin
	conditions := []analysis.Query{{Source: p.Source, Template: p.Ready.Query, Vars: vars}}
	if p.Ready.Query.Text() == "" {
		conditions = nil
		for _, t := range p.Rules.Series() {
			conditions = append(conditions, analysis.Query{Source: p.Source, Template: t, Vars: vars})
		}
	}
	if why := w.Analyst.Holds(ctx, conditions, w.now()); why != "" {
		return steps.Observed{}, errors.New(why)
	}
	return steps.Observed{Confirmed: true, How: cmp.Or(p.Ready.Query.Text(), "its series are there")}, nil
}

func (w *Worker) reach(ctx context.Context, template string, vars rules.Vars) (steps.Observed, error) {
	at, err := fillURL(template, vars)
	if err != nil {
		return steps.Observed{}, err
	}
	if err := w.Reach(ctx, at); err != nil {
		return steps.Observed{}, err
	}
	return steps.Observed{Confirmed: true, How: at + " answers"}, nil
}
