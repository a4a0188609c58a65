package rules

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Selection is what one selector of a template selects, and where it stands: for those who hold a template against what a
// server has.
type Selection struct {
	Start, End int       // of the selector with its offset, without its range, in bytes of the template's text
	Metric     string    // "" where a matcher selects by name
	Matchers   []Matcher // of labels, as written
	Func       string    // what is called on it, or on its range; "" for none
	Ranged     bool      // it has a range
	length     reach
}

// Matcher is one matcher of a selection.
type Matcher struct {
	At        int    // of its label, in bytes of the template's text
	Label, Op string // Op is =, !=, =~ or !~
	Value     string // with {{name}} for variables
}

// Range is the length of the selection's range when {{window}} stands for window.
func (s Selection) Range(window time.Duration) time.Duration {
	return s.length.fixed + time.Duration(s.length.windows)*window
}

// OfWindow reports whether {{window}} is a part of the range.
func (s Selection) OfWindow() bool { return s.length.windows > 0 }

// Selections lists the template's selectors in the order of the text.
func (t Template) Selections() []Selection {
	c, problems := compile(t.text)
	if len(problems) > 0 || t.text == "" { // what was compiled once compiles again
		return nil
	}
	two, err := parser.NewParser(parser.Options{}).ParseExpr(substitute(t.text, c.text.found, 2*time.Minute).text)
	if err != nil { // it differs from what was parsed by one number
		return nil
	}
	ones, twos := ranges(c.expr), ranges(two)
	var out []Selection
	parser.Inspect(c.expr, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		s := Selection{Metric: metricOf(v), Matchers: c.matchers(v)}
		s.Start, _ = c.text.offset(int(v.PosRange.Start))
		s.End, _ = c.text.offset(int(v.PosRange.End))
		windows := (twos[len(out)] - ones[len(out)]) / time.Minute
		s.length = reach{fixed: ones[len(out)] - windows*time.Minute, windows: int64(windows)}
		s.Func, s.Ranged = calledOn(path)
		out = append(out, s)
		return nil
	})
	slices.SortStableFunc(out, func(a, b Selection) int { return a.Start - b.Start })
	return out
}

// ranges lists the length of each selector's own range, in the order of the query.
func ranges(expr parser.Expr) []time.Duration {
	var out []time.Duration
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		if _, ok := node.(*parser.VectorSelector); !ok {
			return nil
		}
		var length time.Duration
		if len(path) > 0 {
			if m, ok := path[len(path)-1].(*parser.MatrixSelector); ok {
				length = m.Range
			}
		}
		out = append(out, length)
		return nil
	})
	return out
}

// calledOn is the function that is called on a selector with these parents, through parentheses and its range at most.
func calledOn(path []parser.Node) (name string, ranged bool) {
	for _, parent := range slices.Backward(path) {
		switch p := parent.(type) {
		case *parser.MatrixSelector:
			ranged = true
		case *parser.ParenExpr, parser.Expressions:
		case *parser.Call:
			return p.Func.Name, ranged
		default:
			return "", ranged
		}
	}
	return "", ranged
}

// metricOf is the name of the metric where it is one.
func metricOf(v *parser.VectorSelector) string {
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel && m.Type.String() == "=" {
			return m.Value
		}
	}
	return ""
}

// matchers are those of the selector's labels, each with the place of its label.
func (c compiled) matchers(v *parser.VectorSelector) []Matcher {
	places := c.labelsIn(int(v.PosRange.Start), int(v.PosRange.End))
	var out []Matcher
	for _, m := range v.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			continue
		}
		at, _ := c.text.offset(int(v.PosRange.Start))
		if i := slices.IndexFunc(places, func(p labelPlace) bool { return p.name == m.Name }); i >= 0 {
			at, _ = c.text.offset(places[i].at)
			places = slices.Delete(places, i, i+1)
		}
		out = append(out, Matcher{At: at, Label: m.Name, Op: m.Type.String(), Value: c.text.named(m.Value)})
	}
	return out
}

// labelPlace is a label in front of a matcher's operator, and where it stands in the text with stand-ins.
type labelPlace struct {
	name string
	at   int
}

// labelsIn finds the labels of the matchers between two places of the text with stand-ins.
func (c compiled) labelsIn(from, to int) []labelPlace {
	lexer := parser.Lex(c.text.text)
	var out []labelPlace
	var before, item parser.Item
	for lexer.NextItem(&item); item.Typ != parser.EOF && item.Typ != parser.ERROR; lexer.NextItem(&item) {
		inside := int(item.Pos) >= from && int(item.Pos) < to
		if inside && slices.Contains([]parser.ItemType{parser.EQL, parser.NEQ, parser.EQL_REGEX, parser.NEQ_REGEX}, item.Typ) {
			name := before.Val
			if unquoted, err := strconv.Unquote(name); err == nil {
				name = unquoted
			}
			out = append(out, labelPlace{name, int(before.Pos)})
		}
		before = item
	}
	return out
}

// named puts the placeholders back into a value of the parsed query.
func (s standIns) named(value string) string {
	for i, p := range s.found {
		if p.quote != 0 {
			value = strings.ReplaceAll(value, string(rune(markers+i)), "{{"+p.name+"}}")
		}
	}
	return value
}
