package analysis

import (
	"math"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/rules"
)

// reading is the evidence that does not depend on the answer's numbers.
func (f Facts) reading() Reading {
	return Reading{At: f.At, Window: f.Window.Length,
		Query: f.New.Value.Expr, BadQuery: f.New.Bad.Expr, TotalQuery: f.New.Total.Expr}
}

// add puts the measured numbers on record, as far as there are any.
func (r *Reading) add(rule rules.Rule, m measured) {
	if rule.Ratio() && m.presence != noSeries {
		r.Bad, r.Total = num(m.bad), num(m.total)
	}
	if m.presence == present && (rule.Alert == nil || !math.IsNaN(m.value)) {
		r.Value, r.Labels = num(m.value), m.labels
	}
}

func (r *Reading) addStable(m measured) {
	if m.presence == present && !math.IsNaN(m.value) {
		r.Stable = num(m.value)
	}
}

func (r *Reading) addLimit(l limit) {
	if l.kind != "" {
		r.Limit, r.LimitKind = num(l.at), l.kind
	}
}

// clause compares the value with its limit, for people: `18.2 % > 5 % (74 of 406 requests)`, `1.3 > 0.5`.
func clause(rule rules.Rule, m measured, l limit) string {
	op := operator(l)
	if !rule.Ratio() {
		v, at := apart(m.value, l.at)
		return v + " " + op + " " + at
	}
	v, at := apart(100*m.value, 100*l.at)
	return v + " % " + op + " " + at + " % (" + whole(m.bad) + " of " + whole(m.total) + " requests)"
}

// operator stands between a value and its limit.
func operator(l limit) string {
	switch {
	case l.kind == "min" && l.broken():
		return "<"
	case l.kind == "min":
		return "≥"
	case l.broken():
		return ">"
	default:
		return "≤"
	}
}

// apart writes two numbers with three digits, or as many as it takes to tell them apart.
func apart(a, b float64) (string, string) {
	for digits := 3; digits < 17; digits++ {
		if ta, tb := text(a, digits), text(b, digits); ta != tb || a == b {
			return ta, tb
		}
	}
	return text(a, 17), text(b, 17)
}

// text writes a number with that many significant digits and no trailing zeros; very large and very small ones with
// an exponent.
func text(f float64, digits int) string {
	size := math.Abs(f)
	if size != 0 && (size < 1e-4 || size >= 1e15) || math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', digits, 64)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(max(size, 1e-4)))))
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// whole writes a count. It rounds down, so that 49.7 events are not shown as the 50 that a rule asks for.
func whole(count float64) string {
	return strconv.FormatFloat(math.Floor(count), 'f', 0, 64)
}
