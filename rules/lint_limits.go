package rules

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// lintLimits warns of limits of a query that no value, or every value, meets.
func (p *ruleParser) lintLimits(c compiled) {
	low, high := c.bounds(c.expr)
	if lo, hi := p.rule.Min, p.rule.Max; hi != nil && *hi < low {
		p.Key("max").Warnf("write a higher max", "no value is below %v: with max %v none is healthy", low, *hi)
	} else if lo != nil && *lo > high {
		p.Key("min").Warnf("write a lower min", "no value is above %v: with min %v none is healthy", high, *lo)
	} else if p.rule.Compare == nil {
		p.lintOnly(low, high)
	}
	if beside, hi := p.rule.Compare, p.rule.Max; beside != nil && hi != nil && beside.IgnoreBelow >= *hi {
		p.Key("compare").Warnf("write ignore_below below max, or leave out one of them",
			"the comparison has no effect: up to ignore_below %v a value is healthy, and above max %v it is not", beside.IgnoreBelow, *hi)
	}
}

// lintOnly warns of an only limit that every value meets.
func (p *ruleParser) lintOnly(low, high float64) {
	switch lo, hi := p.rule.Min, p.rule.Max; {
	case lo != nil && hi == nil && *lo <= low:
		p.Key("min").Warnf("write a higher min, or max", "no value is below %v: with min %v none fails", low, *lo)
	case hi != nil && lo == nil && *hi >= high:
		p.Key("max").Warnf("write a lower max, or min", "no value is above %v: with max %v none fails", high, *hi)
	}
}

// lintRatio warns of limits that no ratio is above.
func (p *ruleParser) lintRatio() {
	if limit := p.rule.Max; limit != nil && *limit >= 1 {
		p.Get("max").Warnf("write for example 5%", "no ratio is above 100%%: none fails")
	}
	if limit := p.rule.CriticalMax; limit != nil && *limit >= 1 {
		p.Get("critical_max").Warnf("write for example 25%, or leave it out", "no ratio is above 100%%: critical_max has no effect")
	}
}

// bounds are the least and the highest value that an expression can have, as far as its form tells.
func (c compiled) bounds(e parser.Expr) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	switch e := unwrap(e).(type) {
	case *parser.NumberLiteral:
		if _, variable := c.text.offset(int(e.PosRange.Start)); !variable {
			return e.Val, e.Val
		}
	case *parser.Call:
		switch e.Func.Name {
		case "rate", "irate", "increase", "changes", "resets", "count_over_time":
			return 0, high
		}
	case *parser.AggregateExpr:
		return c.boundsOfAggregate(e)
	case *parser.BinaryExpr:
		return c.boundsOfBinary(e)
	}
	return low, high
}

func (c compiled) boundsOfAggregate(e *parser.AggregateExpr) (low, high float64) {
	low, high = c.bounds(e.Expr)
	switch e.Op {
	case parser.AVG, parser.MIN, parser.MAX, parser.TOPK, parser.BOTTOMK:
		return low, high
	case parser.COUNT:
		return 0, math.Inf(1)
	case parser.SUM:
		if low >= 0 {
			return 0, math.Inf(1)
		}
	}
	return math.Inf(-1), math.Inf(1)
}

func (c compiled) boundsOfBinary(e *parser.BinaryExpr) (low, high float64) {
	if e.ReturnBool {
		return 0, 1
	}
	low, _ = c.bounds(e.LHS)
	other, _ := c.bounds(e.RHS)
	switch e.Op {
	case parser.LAND, parser.LUNLESS:
		return c.bounds(e.LHS)
	case parser.ADD, parser.MUL, parser.DIV:
		if low >= 0 && other >= 0 {
			return 0, math.Inf(1)
		}
	}
	return math.Inf(-1), math.Inf(1)
}

// lintBudgets warns of budgets of failing readings for a rule that never takes the release back.
func (p *ruleParser) lintBudgets() {
	for _, key := range []string{"failures_in_a_row", "failures_in_a_step"} {
		if p.Has(key) && p.rule.OnFail != Rollback {
			p.Key(key).Warnf("write on_fail: rollback, or leave it out", "%s has no effect beside on_fail: %s: it says when the release is taken back", key, p.rule.OnFail)
		}
	}
}
