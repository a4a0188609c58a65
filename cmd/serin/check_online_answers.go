package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
	"github.com/serin-cd/serin/steps"
)

// answers asks the rules themselves, with a version that is there, and tells what cannot be used.
func (c *policyCheck) answers(ctx context.Context, views []survey.View) {
	found := c.versions(ctx, views)
	vars, with := c.vars, "without a version"
	if vars.Version == "" && len(found) > 0 {
		vars.Version = found[0]
	}
	if vars.Version != "" {
		with = fmt.Sprintf("with version %q", vars.Version)
	}
	others := slices.DeleteFunc(found, func(v string) bool { return v == vars.Version })
	vars.StableVersion = vars.Version
	if len(others) > 0 {
		vars.StableVersion = others[0]
		with += fmt.Sprintf(" (%d more there: %s)", len(others), strings.Join(others[:min(3, len(others))], ", "))
	}
	if vars.Variant = vars.Version; c.policy.Plan.Mover.Kind == steps.FeatureFlag {
		vars.Variant = "on"
	}
	c.said = append(c.said, fmt.Sprintf("%s: asked %s %s", c.policy.Slot, withoutSecrets(c.source.URL), with))
	for i, r := range c.policy.Rules {
		c.said = append(c.said, "  "+r.Name+": "+c.answer(ctx, i, r, vars))
	}
}

// versions are those that the series of the rules are of: those of the most series first.
func (c *policyCheck) versions(ctx context.Context, views []survey.View) []string {
	series := map[string]float64{}
	for _, v := range views {
		how, ok := v.Versions(c.policy.Plan.Mover.Kind == steps.VersionFlag)
		if !ok {
			continue
		}
		for value, n := range c.values(ctx, how.Label, how.Query, v.Vars) {
			if version, ok := how.Of(value); ok {
				series[version] += n
			}
		}
	}
	return slices.SortedFunc(maps.Keys(series), func(a, b string) int {
		return cmp.Or(cmp.Compare(series[b], series[a]), cmp.Compare(b, a))
	})
}

// answer asks one rule, and says what it answered.
func (c *policyCheck) answer(ctx context.Context, i int, r rules.Rule, vars rules.Vars) string {
	vars.Window = r.Window
	if r.Ratio() {
		total, ok := c.usable(ctx, i, r.Total, vars)
		bad, okBad := c.usable(ctx, i, r.Bad, vars)
		switch {
		case !ok || !okBad:
			return "not answered"
		case len(total) == 0:
			return c.empty(i, r, r.Total)
		}
		return ratioText(sum(bad), sum(total), len(bad), len(total))
	}
	values, ok := c.usable(ctx, i, r.Query, vars)
	switch {
	case !ok:
		return "not answered"
	case len(values) == 0:
		return c.empty(i, r, r.Query)
	case len(values) > 1:
		return fmt.Sprintf("%d series, the first is %.4g", len(values), values[0].Value)
	}
	return fmt.Sprintf("%.4g", values[0].Value)
}

func sum(samples []analysis.Sample) float64 {
	out := 0.0
	for _, s := range samples {
		out += s.Value
	}
	return out
}

func ratioText(bad, total float64, badSeries, series int) string {
	text := "nothing happened in the window"
	if total > 0 {
		text = fmt.Sprintf("%.3g%% of %.0f", 100*bad/total, total)
	}
	if most := max(badSeries, series); most > 1 {
		text += fmt.Sprintf(", as the sum of %d series", most)
	}
	return text
}

// empty tells of a query that answers nothing, where nothing has been said yet of why.
func (c *policyCheck) empty(i int, r rules.Rule, t rules.Template) string {
	silent := r.Alert != nil || t.Uses("variant") || c.noted[i] // an alert that does not fire, and a flag that is off for all
	if !silent {
		c.place(i, t).value.WarnAt(0, "ask it in Prometheus, with values in place of the variables", "Prometheus answers nothing, which is no data")
	}
	return "no data"
}

// usable asks a template and tells why its answer cannot be used.
func (c *policyCheck) usable(ctx context.Context, i int, t rules.Template, vars rules.Vars) ([]analysis.Sample, bool) {
	if vars.Version == "" && (t.Uses("version") || t.Uses("stable_version") || t.Uses("variant")) {
		return nil, false // that there is no version has been told: its label, or its series
	}
	r := c.one(ctx, t.Text(), vars)
	v := c.place(i, t).value
	switch {
	case errors.Is(r.Err, context.DeadlineExceeded):
		v.WarnAt(0, "select fewer series, use a recording rule, or set `timeout:` below prometheus", "%v: the rule could not be judged", r.Err)
	case r.Err != nil:
		v.ErrorAt(0, "ask it in Prometheus: "+r.Expr, "Prometheus' answer cannot be used: %v", r.Err)
	case len(r.Warnings) > 0:
		v.WarnAt(0, "see what it means: an answer with warnings may lack series, and is not used", "Prometheus warns: %s", strings.Join(r.Warnings, "; "))
		return nil, false
	case slices.ContainsFunc(r.Samples, func(s analysis.Sample) bool { return s.Histogram }):
		v.ErrorAt(0, "ask for a number of it: histogram_count(…), or histogram_quantile(0.95, …)", "Prometheus answers native histograms, and a rule needs numbers")
		return nil, false
	}
	return r.Samples, r.Err == nil
}

// withoutSecrets is a URL without user and query.
func withoutSecrets(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "Prometheus"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
