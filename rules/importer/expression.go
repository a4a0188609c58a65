package importer

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/rules"
)

// expression checks what the alert asks.
func (a *alert) expression(r *reader, n *yaml.Node) refusal {
	if tool, ok := foreignTemplate(a.expr); ok {
		return refusal{"`expr` is a template of " + tool, renderFirst}
	}
	if name, ok := goTemplate(a.expr); ok {
		return refusal{fmt.Sprintf("`expr` has %s in it, and Prometheus fills in nothing there", name), renderFirst + "; a variable of Serin's is {{version}}"}
	}
	if r.options.RewriteVersion {
		a.rewriteVersion()
	}
	if _, err := rules.Compile(a.expr); err != nil {
		return r.notPromQL(a.expr, resolve(n), err)
	}
	expr, ok := parse(a.expr)
	if !ok {
		return refusal{"`expr` is not PromQL", "try it in Prometheus"}
	}
	switch names := metrics(a.expr); {
	case expr.Type() == parser.ValueTypeScalar:
		return refusal{"`expr` yields one number and no series: it fires always", "compare a series with a number, as in x > 5"}
	case !selectsSeries(expr):
		return refusal{"`expr` looks at no series: it fires always or never, and says nothing about a release", "leave it out: a dead man's switch belongs to Prometheus"}
	default:
		if state, ok := rolloutState(names); ok {
			return refusal{fmt.Sprintf("%s is the state of a rollout, not of the service: the rule would judge what another tool decided", state),
				"leave it out; `serin import` is for rules about the service"}
		}
	}
	a.hardCoded()
	return refusal{}
}

// placeholder is what Serin fills in, or would be a template of another tool's.
var placeholder = regexp.MustCompile(`\{\{([^{}]*)\}\}`)

// ours are the names of Serin's variables.
var ours = regexp.MustCompile(`^\s*(service|environment|version|stable_version|variant|flag|step|weight|window|vars\.[A-Za-z0-9_-]+)\s*$`)

// goTemplate finds a placeholder that Serin does not fill in.
func goTemplate(expr string) (string, bool) {
	for _, m := range placeholder.FindAllStringSubmatch(expr, -1) {
		if !ours.MatchString(m[1]) {
			return short(m[0]), true
		}
	}
	return "", false
}

// notPromQL says where an expression is wrong.
func (r *reader) notPromQL(expr string, n *yaml.Node, err error) refusal {
	problem := rules.Problem{Message: err.Error()}
	if all, ok := errors.AsType[rules.Problems](err); ok && len(all) > 0 {
		problem = all[0]
	}
	where := ""
	if n != nil && n.Style&yaml.LiteralStyle != 0 {
		before := expr[:min(max(problem.Offset, 0), len(expr))]
		where = fmt.Sprintf(", line %d", r.line(n.Line+1+strings.Count(before, "\n")))
	}
	out := refusal{"`expr`" + where + ": " + problem.Message, problem.Cure}
	switch {
	case logQL.MatchString(expr):
		out.cure = "it looks like LogQL, of Loki: Serin asks Prometheus"
	case strings.Contains(expr, "${"), strings.Contains(expr, "$__"):
		out.cure = renderFirst
	case strings.Contains(expr, "%"):
		out.cure = "write numbers without a percent sign, as in 0.05, and everything else as PromQL"
	}
	return out
}

var logQL = regexp.MustCompile(`\|=|\|~|\|\s*(json|logfmt|unwrap|pattern)\b`)

// parse reads an expression, with numbers in place of variables.
func parse(expr string) (parser.Expr, bool) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(placeholder.ReplaceAllString(expr, "1"))
	return e, err == nil
}

func selectsSeries(expr parser.Expr) bool {
	found := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		_, selector := n.(*parser.VectorSelector)
		found = found || selector
		return nil
	})
	return found
}

// metrics are the names of the metrics that an expression asks for.
func metrics(expr string) []string {
	var out []string
	e, ok := parse(expr)
	if !ok {
		return nil
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			for _, m := range s.LabelMatchers {
				if m.Name == "__name__" && m.Value != "" {
					out = append(out, m.Value)
				}
			}
		}
		return nil
	})
	return distinct(out)
}

// recordingName reports whether a metric has a name as recording rules have.
func recordingName(metric string) bool { return strings.Contains(metric, ":") }

// states are the metrics of rollouts: of Flagger, of Argo Rollouts, of Serin, and those seen in tutorials.
var states = regexp.MustCompile(`^(canary_(state|status|phase|weight)|flagger_canary_\w+|rollout_(info|phase|info_replicas_\w+|events_total|reconcile\w*)|` +
	`analysis_run_(info|phase|metric_phase|metric_type|reconcile\w*)|experiment_(info|phase|reconcile\w*)|argo_rollouts_\w+|serin_\w+)$`)

func rolloutState(metrics []string) (string, bool) {
	i := slices.IndexFunc(metrics, states.MatchString)
	if i < 0 {
		return "", false
	}
	return metrics[i], true
}
