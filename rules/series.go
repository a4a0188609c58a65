package rules

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Series are queries that have an answer once series of the release are there: one for each set of labels by which the
// rules select {{version}}. A query counts the series of the selector as it is written, or else any with those labels: a
// counter that begins with the first request is no reason to wait for one. It is empty where no rule names {{version}}.
func (s Set) Series() []Template {
	var out []Template
	seen := map[string]bool{}
	for _, r := range s {
		for _, t := range [...]Template{r.Total, r.Query} {
			for _, found := range t.selectors() {
				if seen[found.labels] {
					continue
				}
				seen[found.labels] = true
				if query, err := Compile("count(" + found.written + ") or count(" + found.labels + ")"); err == nil {
					out = append(out, query)
				}
			}
		}
	}
	return out
}

// selector is a selector that names {{version}}: as written, and with nothing but the labels that variables fill in.
type selector struct{ written, labels string }

// selectors are those of the template that name {{version}}. What was compiled once compiles again.
func (t Template) selectors() []selector {
	if !t.Uses(variables[varVersion]) {
		return nil
	}
	c, problems := compile(t.text)
	if len(problems) > 0 {
		return nil
	}
	var out []selector
	parser.Inspect(c.expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			if labels, named := c.text.variableLabels(s); named {
				start, _ := c.text.offset(int(s.PosRange.Start))
				end, _ := c.text.offset(int(s.PosRange.End))
				out = append(out, selector{written: c.text.original[start:end], labels: labels})
			}
		}
		return nil
	})
	return out
}

// variableLabels are the matchers of a selector that variables fill in. It is false when {{version}} is not among them.
func (s standIns) variableLabels(v *parser.VectorSelector) (text string, named bool) {
	var matchers []string
	for _, m := range v.LabelMatchers {
		if m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp {
			continue
		}
		value, filled := strconv.Quote(m.Value), false
		for i, p := range s.found {
			quoted := strings.Trim(strconv.Quote(string(rune(markers+i))), `"`)
			if p.quote != 0 && strings.Contains(value, quoted) {
				value, filled = strings.ReplaceAll(value, quoted, "{{"+p.name+"}}"), true
				named = named || p.variable == varVersion
			}
		}
		if filled {
			matchers = append(matchers, m.Name+m.Type.String()+value)
		}
	}
	slices.Sort(matchers)
	return "{" + strings.Join(matchers, ",") + "}", named
}
