package rules

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	cureLabel  = "write label names and metric names out: only values can be variables"
	cureRegex  = "put the variable between parentheses, outside of [ ] and \\Q: (?:{{version}})"
	cureAt     = "leave out the @: a query fixed in time cannot follow a rollout"
	cureMatrix = "wrap it in a function: increase(…), rate(…), max_over_time(…)"
)

// setRoles finds out, by their markers in the parsed query, what the strings that hold placeholders are used as.
func setRoles(expr parser.Expr, found []placeholder) Problems {
	r := roles{found: found, seen: make([]bool, len(found))}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				r.matcher(m.Name, m.Type.String(), m.Value)
			}
		case *parser.StringLiteral:
			if len(path) > 0 {
				r.argument(n, path[len(path)-1])
			}
		}
		return nil
	})
	for i, p := range found {
		if p.quote != 0 && !r.seen[i] {
			r.refuse(i, cureLabel, "{{%s}} stands in a name", p.name)
		}
	}
	return r.problems
}

type roles struct {
	found    []placeholder
	seen     []bool
	problems Problems
}

func (r *roles) matcher(label, op, value string) {
	place := placeText
	if op == "=~" || op == "!~" {
		place = placeRegex
	}
	if label != model.MetricNameLabel { // what is not set is refused as standing in a name
		r.set(value, place)
	}
}

// argument handles a string that is an argument. All but these name labels.
func (r *roles) argument(s *parser.StringLiteral, parent parser.Node) {
	call, ok := parent.(*parser.Call)
	if !ok {
		return
	}
	at := slices.IndexFunc(call.Args, func(e parser.Expr) bool { return e == parser.Expr(s) })
	switch {
	case call.Func.Name == "label_replace" && at == 2:
		r.set(s.Val, placeReplacement)
	case call.Func.Name == "label_replace" && at == 4:
		r.set(s.Val, placeRegex)
	case call.Func.Name == "label_join" && at == 2:
		r.set(s.Val, placeText)
	}
}

// set gives the placeholders in value their place.
func (r *roles) set(value string, place place) {
	for i := range r.found {
		if r.found[i].quote == 0 || !strings.ContainsRune(value, rune(markers+i)) {
			continue
		}
		if r.seen[i] {
			r.refuse(i, "leave out characters of Unicode's plane 15", "{{%s}} cannot be told apart", r.found[i].name)
			continue
		}
		r.seen[i] = true
		r.found[i].place = place
		if place == placeReplacement && joinsGroup(value, rune(markers+i)) {
			r.refuse(i, "write ${1} for $1", "{{%s}} would become part of the group's name", r.found[i].name)
		}
		if place == placeRegex && !literalInRegex(value, rune(markers+i)) {
			r.refuse(i, cureRegex, "{{%s}} stands where the regular expression takes no text", r.found[i].name)
		}
	}
}

func (r *roles) refuse(i int, cure, format string, args ...any) {
	r.seen[i] = true
	r.problems = append(r.problems, Problem{Offset: r.found[i].start, Message: fmt.Sprintf(format, args...), Cure: cure})
}

// joinsGroup reports whether the marker follows $1 or $name directly.
func joinsGroup(replacement string, marker rune) bool {
	before := replacement[:strings.IndexRune(replacement, marker)]
	before = strings.TrimRightFunc(before, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
	return strings.HasSuffix(strings.TrimSuffix(before, "{"), "$")
}

// literalInRegex reports whether an escaped value in place of the marker matches exactly itself: that it stands in no
// character class, behind no backslash or \Q, and that no repetition takes its last letter alone.
func literalInRegex(expr string, marker rune) bool {
	m := string(marker)
	tree, err := syntax.Parse(strings.ReplaceAll(expr, m, m+`\.`+m), syntax.Perl)
	return err == nil && hasLiteral(tree, m+"."+m)
}

func hasLiteral(tree *syntax.Regexp, want string) bool {
	if tree.Op == syntax.OpLiteral && strings.Contains(string(tree.Rune), want) {
		return true
	}
	return slices.ContainsFunc(tree.Sub, func(sub *syntax.Regexp) bool { return hasLiteral(sub, want) })
}

// checkType refuses queries that yield no number.
func checkType(c compiled) Problems {
	switch at, _ := c.text.offset(int(c.expr.PositionRange().Start)); c.expr.Type() {
	case parser.ValueTypeMatrix:
		return Problems{{Offset: at, Message: "the query yields a range of values, not one", Cure: cureMatrix}}
	case parser.ValueTypeString:
		return Problems{{Offset: at, Message: "the query yields text, not a value", Cure: "write a query for a number"}}
	}
	return nil
}

// checkTimes refuses selectors that do not move with the instant: a window fixed in time cannot be clipped.
func checkTimes(c compiled) Problems {
	var problems Problems
	parser.Inspect(c.expr, func(node parser.Node, _ []parser.Node) error {
		fixed := false
		switch n := node.(type) {
		case *parser.VectorSelector:
			fixed = n.Timestamp != nil || n.StartOrEnd != 0
		case *parser.SubqueryExpr:
			fixed = n.Timestamp != nil || n.StartOrEnd != 0
		}
		if fixed {
			at, _ := c.text.offset(int(node.PositionRange().Start))
			problems = append(problems, Problem{Offset: at, Message: "this is fixed in time by @", Cure: cureAt})
		}
		return nil
	})
	return problems
}

// reachesOf measures how far back each selector looks. Every range is a sum of fixed durations and windows, so two
// window lengths tell the two apart.
func reachesOf(text string, found []placeholder, one parser.Expr) []reach {
	two, err := parser.NewParser(parser.Options{}).ParseExpr(substitute(text, found, 2*time.Minute).text)
	if err != nil { // it differs from what was parsed by one number
		return nil
	}
	var out []reach
	ones, twos := lookbacks(one), lookbacks(two)
	for i := range ones {
		windows := (twos[i] - ones[i]) / time.Minute
		r := reach{fixed: ones[i] - windows*time.Minute, windows: int64(windows)}
		if r != (reach{}) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// lookbacks lists how far back each selector looks, in the order of the query.
func lookbacks(expr parser.Expr) []time.Duration {
	var out []time.Duration
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		back := selector.OriginalOffset
		for _, parent := range path {
			switch p := parent.(type) {
			case *parser.MatrixSelector:
				back += p.Range
			case *parser.SubqueryExpr:
				back += p.Range + p.OriginalOffset
			}
		}
		out = append(out, back)
		return nil
	})
	return out
}

func callsRate(expr parser.Expr) bool {
	var found bool
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if call, ok := node.(*parser.Call); ok {
			found = found || call.Func.Name == "rate" || call.Func.Name == "irate"
		}
		return nil
	})
	return found
}
