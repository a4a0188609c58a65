package rules

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// lintQuery warns of queries that work, but not as people think.
func (p *ruleParser) lintQuery(v yamldoc.Value, c compiled) {
	p.lintVersion(v, c)
	top, ok := unwrap(c.expr).(*parser.BinaryExpr)
	if !ok {
		return
	}
	if cmp, ok := comparison(top); ok {
		v.WarnAt(c.operator(cmp), p.limitCure(c, cmp), "the comparison yields nothing while the service is healthy, and nothing is no data")
		return
	}
	if top.Op == parser.DIV && countsBoth(top) {
		v.WarnAt(c.operator(top), "write `bad:` for what is divided, and `total:` for what it is divided by", "the division is NaN without traffic, and empty while there was no error yet")
	}
}

// operator is the offset of the operator between b's sides.
func (c compiled) operator(b *parser.BinaryExpr) int {
	at, _ := c.text.offset(int(b.LHS.PositionRange().End))
	return at + len(c.text.original[at:]) - len(strings.TrimLeft(c.text.original[at:], " \t\r\n"))
}

// comparison finds the comparison that filters the whole query, also before `and` or `unless`.
func comparison(b *parser.BinaryExpr) (*parser.BinaryExpr, bool) {
	for b.Op == parser.LAND || b.Op == parser.LUNLESS {
		left, ok := unwrap(b.LHS).(*parser.BinaryExpr)
		if !ok {
			return nil, false
		}
		b = left
	}
	return b, b.Op.IsComparisonOperator() && !b.ReturnBool
}

// limitCure says which limit the comparison means.
func (p *ruleParser) limitCure(c compiled, b *parser.BinaryExpr) string {
	limit, ok := unwrap(b.RHS).(*parser.NumberLiteral)
	op := b.Op
	if !ok {
		if limit, ok = unwrap(b.LHS).(*parser.NumberLiteral); ok {
			op = map[parser.ItemType]parser.ItemType{parser.GTR: parser.LSS, parser.GTE: parser.LTE, parser.LSS: parser.GTR, parser.LTE: parser.GTE}[op]
		}
	}
	key := map[parser.ItemType]string{parser.GTR: "max", parser.GTE: "max", parser.LSS: "min", parser.LTE: "min"}[op]
	if !ok || key == "" || p.Has(key) {
		return "leave out the comparison: min and max say what is healthy"
	}
	if _, variable := c.text.offset(int(limit.PosRange.Start)); variable {
		return fmt.Sprintf("leave out the comparison and write it as `%s:`", key)
	}
	return fmt.Sprintf("leave out the comparison and write `%s: %v`", key, limit.Val)
}

// countsBoth reports whether both sides of a division count events: they call rate or increase, and it is no mean,
// which divides a _sum.
func countsBoth(b *parser.BinaryExpr) bool {
	return countsEvents(b.LHS) && countsEvents(b.RHS)
}

func countsEvents(e parser.Expr) bool {
	counts, mean := false, false
	parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.Call:
			counts = counts || n.Func.Name == "rate" || n.Func.Name == "irate" || n.Func.Name == "increase"
		case *parser.VectorSelector:
			mean = mean || strings.HasSuffix(n.Name, "_sum")
		}
		return nil
	})
	return counts && !mean
}

// lintVersion warns of a version written out: the next release would be judged by it too.
func (p *ruleParser) lintVersion(v yamldoc.Value, c compiled) {
	if c.template.Uses(variables[varVersion]) {
		return
	}
	lexer := parser.Lex(c.text.text)
	var label, op, item parser.Item
	for lexer.NextItem(&item); item.Typ != parser.EOF && item.Typ != parser.ERROR; lexer.NextItem(&item) {
		literal := item.Typ == parser.STRING && len(item.Val) > 2 && !strings.ContainsFunc(item.Val, isMarker)
		if literal && label.Val == "version" && (op.Typ == parser.EQL || op.Typ == parser.EQL_REGEX) {
			at, _ := c.text.offset(int(label.Pos))
			v.WarnAt(at, `write version="{{version}}"`, "the hard-coded version %s judges every release by the same series", item.Val)
			return
		}
		label, op = op, item
	}
}

func isMarker(r rune) bool { return r >= markers }
