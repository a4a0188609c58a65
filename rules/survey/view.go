package survey

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/rules"
)

// View is one selection of a rule, with the variables that are known.
type View struct {
	rules.Selection
	Vars     rules.Vars
	optional []rules.Matcher // those that nothing need match: of bad events
	rare     bool            // the metric is of bad events alone
}

// Look lists the selections of a template, with the variables that are known: those without a value are open.
func Look(t rules.Template, vars rules.Vars) []View {
	var out []View
	for _, s := range t.Selections() {
		out = append(out, View{Selection: s, Vars: vars})
	}
	return out
}

// LookAtBad is Look for the bad events of a ratio: what selects them among all need match nothing, since a healthy service
// may never have had any.
func LookAtBad(bad, total rules.Template, vars rules.Vars) []View {
	var common []rules.Matcher
	metrics := map[string]bool{}
	for _, s := range total.Selections() {
		common, metrics[s.Metric] = append(common, s.Matchers...), true
	}
	out := Look(bad, vars)
	for i, v := range out {
		out[i].rare = !metrics[v.Metric]
		for _, m := range v.Matchers {
			alike := func(c rules.Matcher) bool { return c.Label == m.Label && c.Op == m.Op && c.Value == m.Value }
			if !slices.ContainsFunc(common, alike) {
				out[i].optional = append(out[i].optional, m)
			}
		}
	}
	return out
}

func (v View) isOptional(m rules.Matcher) bool { return slices.Contains(v.optional, m) }

// Questions are queries whose answers [Known.Counts] holds: whether the metric, its labels and their values are there.
func (v View) Questions() []string {
	if v.Metric == "" {
		return nil
	}
	out := []string{count(v.series())}
	for _, m := range v.Matchers {
		if v.checked(m) {
			out = append(out, count(v.series(labelled(m))), count(v.series(m)))
		}
	}
	return append(out, count(v.All()))
}

// All selects what the view selects, but for optional matchers, and with any value for an open variable.
func (v View) All() string {
	var must []rules.Matcher
	for _, m := range v.Matchers {
		if !v.isOptional(m) {
			must = append(must, m)
		}
	}
	return v.series(must...)
}

// Metrics selects all series of the view's metric.
func (v View) Metrics() string { return v.series() }

func count(selector string) string { return "count(" + selector + ")" }

// CountBy counts the series of a selector by the values of labels.
func CountBy(selector string, labels ...string) string {
	quoted := make([]string, len(labels))
	for i, label := range labels {
		quoted[i] = QuotedName(label)
	}
	return "count by (" + strings.Join(quoted, ", ") + ") (" + selector + ")"
}

// Newest are the labels of a few series of a selector, histograms too.
func Newest(selector string, few int) string {
	return fmt.Sprintf("topk(%d, timestamp(%s))", few, selector)
}

// labelled demands the label of a matcher alone.
func labelled(m rules.Matcher) rules.Matcher { return rules.Matcher{Label: m.Label, Op: "!="} }

// checked reports whether a matcher demands its label: not one that excludes, nor one that an absent label matches too.
func (v View) checked(m rules.Matcher) bool {
	if m.Op != "=" && m.Op != "=~" || m.Value == "" {
		return false
	}
	re, err := regexp.Compile("^(?:" + variable.ReplaceAllString(m.Value, "x") + ")$")
	return m.Op == "=" || err != nil || !re.MatchString("")
}

// series selects the view's metric with some matchers.
func (v View) series(matchers ...rules.Matcher) string {
	var inside []string
	name := v.Metric
	if !plainName.MatchString(name) {
		inside, name = append(inside, strconv.Quote(name)), ""
	}
	for _, m := range matchers {
		m = v.opened(m)
		inside = append(inside, QuotedName(m.Label)+m.Op+strconv.Quote(m.Value))
	}
	if len(inside) == 0 {
		return name
	}
	return name + "{" + strings.Join(inside, ",") + "}"
}

var plainName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// QuotedName is a label's name as PromQL takes it.
func QuotedName(name string) string {
	if plainName.MatchString(name) && !strings.Contains(name, ":") {
		return name
	}
	return strconv.Quote(name)
}

// variable is a variable inside a matcher's value.
var variable = regexp.MustCompile(`\{\{\s*([\w.-]+)\s*\}\}`)

// opened is the matcher with any value for its open variables.
func (v View) opened(m rules.Matcher) rules.Matcher {
	if !v.open(m.Value) {
		return m
	}
	m.Value = v.pattern(m, func(name string) string {
		if known(name, v.Vars) {
			return "{{" + name + "}}"
		}
		return ".+"
	})
	m.Op = m.Op[:1] + "~"
	return m
}

// pattern is the matcher's value as a regular expression, with its variables replaced.
func (v View) pattern(m rules.Matcher, replace func(name string) string) string {
	var b strings.Builder
	from := 0
	literal := func(text string) {
		if m.Op == "=" || m.Op == "!=" {
			text = regexp.QuoteMeta(text)
		}
		b.WriteString(text)
	}
	for _, at := range variable.FindAllStringSubmatchIndex(m.Value, -1) {
		literal(m.Value[from:at[0]])
		b.WriteString(replace(m.Value[at[2]:at[3]]))
		from = at[1]
	}
	literal(m.Value[from:])
	return b.String()
}

// open reports whether a value has a variable without a value.
func (v View) open(value string) bool {
	return slices.ContainsFunc(names(value), func(name string) bool { return !known(name, v.Vars) })
}

// names are the variables of a value.
func names(value string) []string {
	var out []string
	for _, found := range variable.FindAllStringSubmatch(value, -1) {
		out = append(out, found[1])
	}
	return out
}

// known reports whether a variable has a value.
func known(name string, vars rules.Vars) bool {
	_, text := valueOf(name, vars)
	return text
}

// valueOf is a variable's value as a text. It is false for one without a value, but for the policy's own, which may be "".
func valueOf(name string, v rules.Vars) (string, bool) {
	text := map[string]string{"service": v.Service, "environment": v.Environment, "version": v.Version, "stable_version": v.StableVersion,
		"variant": v.Variant, "flag": v.Flag}
	if value, ok := text[name]; ok {
		return value, value != ""
	}
	if extra, ok := strings.CutPrefix(name, "vars."); ok {
		return v.Extra[extra], true
	}
	return fmt.Sprint(map[string]any{"step": v.Step, "weight": v.Weight, "window": v.Window}[name]), true
}
