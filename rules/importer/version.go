package importer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// matcher is a label compared with a text, and where the text stands in the expression.
type matcher struct {
	label      string
	regex      bool
	value      string
	start, end int // of the text between the quotes
}

// matchers finds the matchers of an expression that ask for something.
func matchers(expr string) []matcher {
	var out []matcher
	lexer := parser.Lex(expr)
	var label, op, item parser.Item
	for lexer.NextItem(&item); item.Typ != parser.EOF && item.Typ != parser.ERROR; lexer.NextItem(&item) {
		if item.Typ == parser.STRING && len(item.Val) > 2 && (op.Typ == parser.EQL || op.Typ == parser.EQL_REGEX) {
			at := int(item.Pos)
			out = append(out, matcher{label.Val, op.Typ == parser.EQL_REGEX, item.Val[1 : len(item.Val)-1], at + 1, at + len(item.Val) - 1})
		}
		label, op = op, item
	}
	return out
}

// The words by which rules tell the versions apart.
var (
	canaryWords = []string{"canary", "candidate", "new", "next", "preview"}
	stableWords = []string{"stable", "baseline", "primary", "production", "prod", "current"}
)

// rewriteVersion puts the release's version in place of a hard-coded one.
func (a *alert) rewriteVersion() {
	if strings.Contains(a.expr, "{{") {
		return
	}
	found := versions(a.expr)
	var b strings.Builder
	from := 0
	for _, m := range found {
		name := m.variable(found)
		if name == "" {
			continue
		}
		b.WriteString(a.expr[from:m.start] + "{{" + name + "}}")
		from = m.end
		a.notes = append(a.notes, fmt.Sprintf("version=%q became {{%s}}", m.value, name))
	}
	a.expr = b.String() + a.expr[from:]
}

// versions are the matchers of the label `version`.
func versions(expr string) []matcher {
	var out []matcher
	for _, m := range matchers(expr) {
		if m.label == "version" && !strings.Contains(m.value, "{{") {
			out = append(out, m)
		}
	}
	return out
}

// variable is what stands for a hard-coded version: that of the release, or of what it is compared with. A number is the
// release's, if it is the only one. "" leaves the matcher as it is.
func (m matcher) variable(all []matcher) string {
	switch word := strings.ToLower(m.value); {
	case contains(canaryWords, word):
		return "version"
	case contains(stableWords, word):
		return "stable_version"
	case m.regex:
		return ""
	}
	for _, other := range all {
		if other.value != m.value {
			return ""
		}
	}
	return "version"
}

// hardCoded warns of what would judge every release by the same series.
func (a *alert) hardCoded() {
	for _, m := range matchers(placeholder.ReplaceAllString(a.expr, "")) {
		switch {
		case m.label == "version" && m.value != "" && m.value != ".+" && m.value != ".*":
			a.notes = append(a.notes, fmt.Sprintf("the hard-coded version=%s judges every release by the same series: --rewrite-version writes {{version}}", strconv.Quote(m.value)))
		case contains(canaryWords[:2], strings.ToLower(m.value)):
			a.notes = append(a.notes, fmt.Sprintf("the hard-coded %s=%s judges every release by the same series", m.label, strconv.Quote(m.value)))
		}
	}
}
