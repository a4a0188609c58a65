package rules

import (
	"math"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// shape is an alert's expression taken apart: what is asked, which values fire, and what else says that there is data.
type shape struct {
	value, data string // texts of templates
	fires       Comparison
	threshold   float64
	guard       string // what must hold too, without which there is no data
	at          int    // the place in the expression of the operator that made it so
}

// shapeOf takes an expression apart. Only what keeps the meaning is taken away: where the value of `value` is compared
// with the threshold, the same series are left as of the expression.
func shapeOf(c compiled) (shape, *Problem) {
	if c.expr.Type() == parser.ValueTypeScalar {
		return shape{}, &Problem{Message: "the expression yields one number, and an alert needs series", Cure: "compare a series with a number, as in x > 5"}
	}
	if len(selectors(c.expr)) == 0 {
		return shape{}, &Problem{Message: "the expression looks at no series: it fires always, or never", Cure: "leave this rule out: a dead man's switch says nothing about a release"}
	}
	if s, ok := c.compared(c.expr); ok {
		return s, nil
	}
	return shape{value: c.text.original, data: c.presence(), at: c.start(c.expr)}, nil
}

// compared takes a comparison with a number away, also before `and`.
func (c compiled) compared(e parser.Expr) (shape, bool) {
	b, ok := unwrap(e).(*parser.BinaryExpr)
	switch {
	case !ok || b.ReturnBool:
		return shape{}, false
	case b.Op == parser.LAND:
		return c.guarded(b)
	case !b.Op.IsComparisonOperator():
		return shape{}, false
	}
	side, op := b.LHS, Comparison(b.Op.String())
	threshold, ok := c.constant(b.RHS)
	if !ok {
		side, op = b.RHS, turned(op)
		if threshold, ok = c.constant(b.LHS); !ok {
			return shape{}, false
		}
	}
	value, ok := c.source(side)
	if !ok || side.Type() != parser.ValueTypeVector {
		return shape{}, false
	}
	return shape{value: value, data: c.divided(side, op, threshold), fires: op, threshold: threshold, at: c.operator(b)}, true
}

// guarded takes the comparison of `value > number and guard` away. The guard is kept: it takes the same series away.
func (c compiled) guarded(b *parser.BinaryExpr) (shape, bool) {
	if guards(b) > maxGuards {
		return shape{}, false
	}
	s, ok := c.compared(b.LHS)
	guard, okGuard := c.source(b.RHS)
	if !ok || !okGuard {
		return shape{}, false
	}
	and := conjunction(b)
	s.at = c.operator(b)
	s.value = "(" + s.value + ")" + and + "(" + guard + ")"
	if volume(b.RHS) {
		s.guard = guard
		if s.data != "" {
			s.data = "(" + s.data + ")" + and + "(" + guard + ")"
		}
		return s, true
	}
	// The guard is a second condition: where it does not hold the release is healthy, if both can be known.
	side, _ := c.source(withoutComparison(b.LHS))
	other, ok := c.source(withoutComparison(b.RHS))
	if ok && side != "" {
		s.data = "count((" + side + ")" + and + "(" + other + "))"
	}
	return s, true
}

// maxGuards bounds the guards that are taken apart: each costs some parsing of all before it. People write three.
const maxGuards = 16

// guards counts the guards before one another.
func guards(e parser.Expr) int {
	n := 0
	for b, ok := unwrap(e).(*parser.BinaryExpr); ok && b.Op == parser.LAND; b, ok = unwrap(b.LHS).(*parser.BinaryExpr) {
		n++
	}
	return n
}

// volume reports whether a guard asks for events: then there is nothing to judge where it does not hold.
func volume(guard parser.Expr) bool {
	b, ok := unwrap(guard).(*parser.BinaryExpr)
	return !ok || !b.Op.IsComparisonOperator() || countsEvents(b.LHS) || countsEvents(b.RHS)
}

// withoutComparison is the side of a comparison with a number that has series, or the expression itself.
func withoutComparison(e parser.Expr) parser.Expr {
	b, ok := unwrap(e).(*parser.BinaryExpr)
	switch {
	case !ok || !b.Op.IsComparisonOperator():
		return e
	case b.LHS.Type() == parser.ValueTypeVector:
		return b.LHS
	}
	return b.RHS
}

// divided says what shows data where a division has no value, because what is divided has no series yet: what it is
// divided by. Nothing divided is 0, and so only where 0 does not fire.
func (c compiled) divided(e parser.Expr, op Comparison, threshold float64) string {
	b, ok := unwrap(e).(*parser.BinaryExpr)
	if !ok || b.Op != parser.DIV || op.Met(0, threshold) || op == FiresBelow || op == FiresUpTo || b.RHS.Type() != parser.ValueTypeVector {
		return ""
	}
	text, _ := c.source(b.RHS)
	return text
}

// presence asks whether any of the series is there that the expression asks for.
func (c compiled) presence() string {
	var counts []string
	for _, s := range selectors(c.expr) {
		if text, ok := c.source(s); ok && !s.absent {
			counts = append(counts, "count("+text+")")
		}
	}
	if len(counts) == 0 {
		return "vector(1)" // only absent series are asked for: that they are there is health
	}
	return strings.Join(counts, " or ")
}

// selected is a selector, and whether it is asked to be absent.
type selected struct {
	*parser.VectorSelector
	absent bool
}

func selectors(e parser.Expr) []selected {
	var out []selected
	parser.Inspect(e, func(node parser.Node, path []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		found := selected{VectorSelector: s}
		for _, parent := range path {
			if call, ok := parent.(*parser.Call); ok && strings.HasPrefix(call.Func.Name, "absent") {
				found.absent = true
			}
		}
		out = append(out, found)
		return nil
	})
	return out
}

// turned is the comparison seen from its other side.
func turned(op Comparison) Comparison {
	if other, ok := map[Comparison]Comparison{FiresAbove: FiresBelow, FiresBelow: FiresAbove, FiresFrom: FiresUpTo, FiresUpTo: FiresFrom}[op]; ok {
		return other
	}
	return op
}

// conjunction is the operator with its matching of labels, as in ` and on (job) `.
func conjunction(b *parser.BinaryExpr) string {
	bare := *b
	bare.LHS, bare.RHS = &parser.VectorSelector{Name: "a"}, &parser.VectorSelector{Name: "b"}
	return strings.TrimSuffix(strings.TrimPrefix(bare.String(), "a"), "b")
}

func (c compiled) start(e parser.Expr) int {
	at, _ := c.text.offset(int(e.PositionRange().Start))
	return at
}

// constant is the value of numbers and the arithmetic between them. A variable is none: its value is not known yet.
func (c compiled) constant(e parser.Expr) (float64, bool) {
	switch n := unwrap(e).(type) {
	case *parser.NumberLiteral:
		_, variable := c.text.offset(int(n.PosRange.Start))
		return n.Val, !variable
	case *parser.UnaryExpr:
		v, ok := c.constant(n.Expr)
		if n.Op == parser.SUB {
			v = -v
		}
		return v, ok
	case *parser.BinaryExpr:
		l, okL := c.constant(n.LHS)
		r, okR := c.constant(n.RHS)
		v, ok := arithmetic(n.Op, l, r)
		return v, ok && okL && okR
	}
	return 0, false
}

// arithmetic is PromQL's between scalars.
func arithmetic(op parser.ItemType, l, r float64) (float64, bool) {
	switch op {
	case parser.ADD:
		return l + r, true
	case parser.SUB:
		return l - r, true
	case parser.MUL:
		return l * r, true
	case parser.DIV:
		return l / r, true
	case parser.POW:
		return math.Pow(l, r), true
	case parser.MOD:
		return math.Mod(l, r), true
	}
	return 0, false
}

// source is the text of a part of the query as it is written, or as the parser prints it where its place is not exactly
// known. It is false when neither is to be had.
func (c compiled) source(e parser.Expr) (string, bool) {
	pos, want := e.PositionRange(), c.text.unmark(e.String())
	start, _ := c.text.offset(int(pos.Start))
	end, _ := c.text.offset(int(pos.End))
	// The parser puts the end of some parts behind a bracket that closes another.
	for written := strings.TrimSpace(c.text.original[min(start, end):end]); written != ""; written = strings.TrimSpace(strings.TrimSuffix(written, ")")) {
		again, problems := compile(written)
		if len(problems) == 0 && again.text.unmark(again.expr.String()) == want {
			return written, true
		}
		if !strings.HasSuffix(written, ")") {
			break
		}
	}
	return e.String(), len(c.text.found) == 0
}
