package promrules

import (
	"fmt"
)

// number is a scalar.
func number(d *dice) string {
	return d.pick("0", "1", "2", "5", "0.05", "0.5", "-1", "(1 + 1)", "10 / 4", "-(2)", "1e2", "NaN", "Inf", "-Inf", "100", "2 ^ 2", "5 % 3",
		"scalar(a{job=\"x\",i=\"0\"})", "time() % 60", "1 == bool 1")
}

// selector asks for series; some of what it asks for is not there.
func selector(d *dice) string {
	return d.pick("a", "b", "c", `a{job="x"}`, `b{i="1"}`, `a{job=~"x|y"}`, `{__name__=~"a|b"}`, `{__name__=~"a|b",job="x",i="0"}`, "missing",
		`missing{job="x"}`, "a offset 30s", `c{job!="x"}`, "h")
}

// counter asks for a rate.
func counter(d *dice) string {
	function := d.pick("rate", "increase", "irate", "delta", "avg_over_time", "max_over_time", "count_over_time")
	metric := d.pick(`requests`, `requests{code=~"5.."}`, `requests{code="500",job="x"}`, "a", "missing", "h")
	return function + "(" + metric + "[" + d.pick("45s", "1m", "2m") + "])"
}

// vector is an expression for series, of at most that depth.
func vector(d *dice, depth int) string {
	if depth <= 0 || d.chance(25) {
		if d.chance(40) {
			return counter(d)
		}
		return selector(d)
	}
	inner := func() string { return vector(d, depth-1) }
	switch d.pick("sum", "by", "divide", "arithmetic", "scalar", "function", "paren", "histogram", "filtered", "ratio") {
	case "sum":
		return d.pick("sum", "avg", "max", "min", "count") + "(" + inner() + ")"
	case "by":
		return d.pick("sum", "avg", "max", "topk") + aggregateBy(d, inner())
	case "divide":
		return inner() + " / " + matching(d) + inner()
	case "arithmetic":
		return inner() + d.pick(" + ", " - ", " * ", " % ") + matching(d) + inner()
	case "scalar":
		return d.pick(number(d)+" * "+inner(), inner()+" - "+number(d), inner()+" / "+number(d), number(d)+" / "+inner())
	case "function":
		return d.pick("abs", "-", "ceil", "sort", "timestamp", "clamp_min") + "(" + inner() + ")"
	case "paren":
		return "(" + inner() + ")"
	case "histogram":
		return "histogram_" + d.pick("quantile(0.9, ", "avg(", "count(") + d.pick("h", "rate(h[1m])", "sum(rate(h[1m]))") + ")"
	case "filtered":
		return "(" + inner() + d.pick(" > ", " < ", " >= ", " != ", " == ") + d.pick("", "bool ") + number(d) + ")"
	}
	return ratio(d)
}

func aggregateBy(d *dice, inner string) string {
	return d.pick(" by (job) ", " by (i, job) ", " without (i) ", " by () ") + "(" + inner + ")"
}

func matching(d *dice) string {
	return d.pick("", "", "", "on (job) ", "on (job, i) ", "ignoring (code) ", "on () ", "on (job) group_left ", "ignoring (i) group_left () ")
}

// ratio is the usual share of errors: its parts may be missing, or 0.
func ratio(d *dice) string {
	by := d.pick("", "", " by (job)", " by (i)")
	top := d.pick(`requests{code=~"5.."}`, `requests{code="404"}`, `requests{code="500",job="x"}`, "missing")
	bottom := d.pick("requests", `requests{job="x"}`, "missing", `requests{code="404"}`)
	window := d.pick("1m", "2m", "45s")
	return fmt.Sprintf("sum%s(rate(%s[%s])) / sum%s(rate(%s[%s]))", by, top, window, by, bottom, window)
}

// compared is a comparison, mostly with a number.
func compared(d *dice, depth int) string {
	op := " " + d.pick(">", ">=", "<", "<=", "==", "!=", ">", ">") + " "
	left, right := vector(d, depth), number(d)
	switch d.pick("right", "right", "right", "left", "vectors", "bool", "parens") {
	case "left":
		return right + op + left
	case "vectors":
		return left + op + matching(d) + vector(d, depth)
	case "bool":
		return left + op + "bool " + right
	case "parens":
		return "((" + left + ")" + op + "(" + right + "))"
	}
	return left + op + right
}

// expression is what an alert asks.
func expression(d *dice) string {
	on := func() string { return d.pick("", "", "on (job) ", "on () ", "ignoring (code, i) ") }
	switch d.pick("compared", "compared", "compared", "ratio", "and", "and", "guards", "unless", "or", "absent", "vector", "joined", "subquery") {
	case "ratio":
		return ratio(d) + d.pick(" > ", " >= ", " < ", " != ", " == ") + d.pick("0.05", "0", "0.5", "1")
	case "and":
		return compared(d, 1) + " and " + on() + compared(d, 1)
	case "guards":
		return "(" + compared(d, 1) + " and " + on() + vector(d, 1) + ") and " + on() + compared(d, 0)
	case "unless":
		return compared(d, 1) + " unless " + on() + compared(d, 1)
	case "or":
		return compared(d, 1) + " or " + on() + compared(d, 1)
	case "absent":
		return d.pick("absent(a)", `absent(missing{job="x"})`, "absent_over_time(a[45s])", "absent(c) or a > 2", "absent(sum(a) > 2)", "absent(a) and b > 1")
	case "vector":
		return vector(d, 2)
	case "joined":
		return "(" + compared(d, 1) + ") * " + d.pick("on (job, i) group_left () b", "on (job) group_left (i) c", "2", "b")
	case "subquery":
		return d.pick("max", "min", "avg", "count") + "_over_time((" + compared(d, 1) + ")[1m:15s])" + d.pick("", " > 1", " >= 0")
	}
	return compared(d, 2)
}
