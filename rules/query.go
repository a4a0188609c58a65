package rules

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// counted is one side of a ratio.
type counted struct {
	compiled
	counts Counting
}

// compile reads a template from v, with the policy's variables in mind.
func (p *ruleParser) compile(v yamldoc.Value) (compiled, bool) {
	text, ok := v.String()
	if !ok {
		return compiled{}, false
	}
	c, problems := compile(text)
	return c, p.report(v, c, problems)
}

// report tells the problems of a template, and is true when there are none.
func (p *ruleParser) report(v yamldoc.Value, c compiled, problems Problems) bool {
	for _, problem := range problems {
		v.ErrorAt(problem.Offset, problem.Cure, "%s", problem.Message)
	}
	ok := len(problems) == 0
	for _, piece := range c.template.pieces {
		if piece.variable == varExtra {
			ok = p.checkVar(v, piece.placeholder) && ok
		}
	}
	return ok
}

// checkVar checks that a {{vars.NAME}} exists and fits its place.
func (p *ruleParser) checkVar(v yamldoc.Value, h placeholder) bool {
	name := h.name[len(extraPrefix):]
	value, ok := p.vars[name]
	if !ok {
		cure := diag.Suggest(name, slices.Sorted(maps.Keys(p.vars)))
		if len(p.vars) == 0 {
			cure = "add `vars: {" + name + ": …}` to the policy"
		}
		v.ErrorAt(h.start, cure, "the policy has no variable %q", name)
		return false
	}
	if err := h.write(&strings.Builder{}, Vars{Extra: p.vars, Window: time.Minute}); err != nil {
		v.ErrorAt(h.start, "mend the query, or the variable under `vars:`", "{{%s}} does not fit here: %v", h.name, err)
		return false
	}
	if h.place == placeRegex && strings.ContainsAny(value, `\+*?()|[]{}^$`) {
		v.WarnAt(h.start, "write the regular expression in the rule itself", "{{%s}} stands for the very text %q, not for a regular expression", h.name, value)
	}
	return true
}

// count reads `bad` or `total`: a plain selector, which is wrapped, or a whole expression.
func (p *ruleParser) count(v yamldoc.Value, total bool) (counted, bool) {
	text, ok := v.String()
	if !ok {
		return counted{}, false
	}
	c, problems := compile(text)
	if ranged, ok := unwrap(c.expr).(*parser.MatrixSelector); ok {
		at, _ := c.text.offset(int(ranged.VectorSelector.PositionRange().End))
		v.ErrorAt(at, "leave out the [ ]: Serin adds increase(…[{{window}}]) to a plain selector", "a selector with a range is no count")
		return counted{}, false
	}
	if !p.report(v, c, problems) {
		return counted{}, false
	}
	p.lintVersion(v, c)
	selector, plain := unwrap(c.expr).(*parser.VectorSelector)
	if !plain {
		return counted{compiled: c, counts: countingOf(c.template)}, true
	}
	return p.wrap(v, c, selector, total)
}

// wrap makes a count of a plain selector. total is empty as soon as its series are gone at the instant: that shows lost
// data while the window still remembers them.
func (p *ruleParser) wrap(v yamldoc.Value, c compiled, selector *parser.VectorSelector, total bool) (counted, bool) {
	start, _ := c.text.offset(int(selector.PosRange.Start))
	end, _ := c.text.offset(int(selector.PosRange.End))
	if selector.OriginalOffset != 0 {
		v.ErrorAt(end, "leave out the offset, or write the whole expression: sum(increase(…[{{window}}] offset 5m))", "a plain selector is counted as of now")
		return counted{}, false
	}
	if strings.Contains(selector.Name, ":") {
		v.WarnAt(start, "write the whole expression, as in sum(…)", "%s looks like a recording rule, and Serin counts the increase of a counter", selector.Name)
	}
	plain := c.text.original[start:end]
	text := "sum(increase(" + plain + "[{{window}}]))"
	if total {
		text += " and count(" + plain + ")"
	}
	wrapped, problems := compile(text)
	for _, problem := range problems { // none is known but the length
		v.Errorf(problem.Cure, "%s", problem.Message)
	}
	return counted{compiled: wrapped}, len(problems) == 0
}

func countingOf(t Template) Counting {
	switch {
	case t.rate:
		return CountPerSecond
	case t.Uses(variables[varWindow]):
		return CountWindow
	default:
		return CountFixed
	}
}

// unwrap takes parentheses away.
func unwrap(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}

// ParseCondition reads a query whose answer is looked at by itself; vars are the policy's own variables. It is false, with
// at least one finding, when it cannot be used.
func ParseCondition(v yamldoc.Value, vars map[string]string) (Template, bool) {
	p := ruleParser{vars: vars}
	c, ok := p.compile(v)
	return c.template, ok
}
