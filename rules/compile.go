package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// maxText bounds a template, so that a hostile file cannot keep the parser busy.
const maxText = 32 << 10

// compiled is a template with its parsed form, for those that look closer.
type compiled struct {
	template Template
	expr     parser.Expr // of the text with stand-ins
	text     standIns
}

// compile checks a text in the order in which a person would correct it: variables, syntax, then meaning. With problems
// it has no template; where they are of meaning, it has the parsed query all the same.
func compile(text string) (compiled, Problems) {
	if len(text) > maxText {
		return compiled{}, Problems{{Message: fmt.Sprintf("a query of %d bytes is longer than %d", len(text), maxText)}}
	}
	found, problems := scan(text)
	if len(problems) > 0 {
		return compiled{}, problems
	}
	c := compiled{text: substitute(text, found, time.Minute)}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(c.text.text)
	if err != nil {
		return compiled{}, Problems{c.text.syntaxProblem(err)}
	}
	c.expr = expr
	if problems = checkType(c); len(problems) == 0 {
		problems = append(setRoles(expr, found), checkTimes(c)...)
	}
	if len(problems) > 0 {
		return c, problems
	}
	c.template = Template{text: text, pieces: split(text, found), reaches: reachesOf(text, found, expr), rate: callsRate(expr)}
	return c, nil
}

// split cuts the text at its placeholders.
func split(text string, found []placeholder) []piece {
	pieces := make([]piece, 0, len(found)+1)
	from := 0
	for _, p := range found {
		pieces = append(pieces, piece{literal: text[from:p.start], placeholder: p})
		from = p.end
	}
	return append(pieces, piece{literal: text[from:]})
}

// markers are the runes that stand for placeholders inside strings, one for each: they show where in the parsed query
// a placeholder ended up. Plane 15 is for private use, and nobody uses it in PromQL.
const markers = 0xF0000

// standIns is a text whose placeholders have been replaced by values of the right kind, so that it can be parsed.
type standIns struct {
	text     string
	original string
	segments []segment
	found    []placeholder
}

// segment is a part of the text: from `sub` on it is the original from `orig` on, or a placeholder there.
type segment struct {
	sub, orig   int
	placeholder bool
}

func substitute(text string, found []placeholder, window time.Duration) standIns {
	s := standIns{original: text, found: found}
	var b strings.Builder
	from := 0
	for i, p := range found {
		s.segments = append(s.segments, segment{sub: b.Len(), orig: from})
		b.WriteString(text[from:p.start])
		s.segments = append(s.segments, segment{sub: b.Len(), orig: p.start, placeholder: true})
		switch {
		case p.quote != 0:
			b.WriteRune(rune(markers + i))
		case p.place == placeDuration:
			b.WriteString(strconv.Itoa(int(window/time.Second)) + "s")
		case p.variable == varWindow:
			b.WriteString(strconv.Itoa(int(window / time.Second)))
		default:
			b.WriteByte('1')
		}
		from = p.end
	}
	s.segments = append(s.segments, segment{sub: b.Len(), orig: from})
	b.WriteString(text[from:])
	s.text = b.String()
	return s
}

// offset is the place in the original of an offset into the text with stand-ins, and the placeholder it is in.
func (s standIns) offset(sub int) (orig int, inside bool) {
	at := s.segments[0]
	for _, seg := range s.segments {
		if seg.sub <= sub {
			at = seg
		}
	}
	if at.placeholder {
		return at.orig, true
	}
	return min(at.orig+sub-at.sub, len(s.original)), false
}

// syntaxProblem turns the parser's first complaint into a problem of the original text.
func (s standIns) syntaxProblem(err error) Problem {
	start, cause := 0, err
	var errs parser.ParseErrors
	if errors.As(err, &errs) && len(errs) > 0 {
		start, cause = int(errs[0].PositionRange.Start), errs[0].Err
	}
	offset, inside := s.offset(start)
	if text := strings.TrimRight(s.original, " \t\r\n"); strings.HasSuffix(text, "%") && strings.Contains(cause.Error(), "end of input") {
		return Problem{Offset: len(text) - 1, Message: "not valid PromQL: % is an operator, and has nothing behind it", Cure: "write 0.05 for 5 %"}
	}
	if inside {
		return Problem{Offset: offset, Message: "a variable cannot stand here", Cure: "variables stand inside quotes, inside [ ], or as a number"}
	}
	return Problem{Offset: offset, Message: "not valid PromQL: " + s.unmark(cause.Error()), Cure: syntaxCure(cause.Error())}
}

// unmark puts the placeholders back into a message that quotes stand-ins.
func (s standIns) unmark(message string) string {
	for i, p := range s.found {
		if p.quote == 0 {
			continue
		}
		marker, name := rune(markers+i), "{{"+p.name+"}}"
		message = strings.ReplaceAll(message, string(marker), name)
		message = strings.ReplaceAll(message, fmt.Sprintf(`\U%08x`, marker), name)
	}
	return message
}

// syntaxCure is the cure of the mistakes people make most.
func syntaxCure(message string) string {
	for _, c := range syntaxCures {
		if strings.Contains(message, c.part) {
			return c.cure
		}
	}
	return "try the query in Prometheus, with values in place of the variables"
}

// syntaxCures are tried in their order: parts of the parser's messages, and what cures them.
var syntaxCures = []struct{ part, cure string }{
	{"'$'", "variables are written {{name}}: those of Grafana and of a shell are not filled in"},
	{"inside braces: ')'", "close the brace before"},
	{"inside braces", "put each value into quotes, and close the brace"},
	{"subquery or range", "close the range, as in [5m]"},
	{"unclosed left", "close the brackets and braces that are open"},
	{"unexpected end of input", "close the brackets and braces that are open"},
	{"unexpected right parenthesis", "leave out the bracket, or open one before it"},
	{"unterminated", "close the quotes"},
	{"expected type range vector", "add a range: [{{window}}]"},
	{"expected type instant vector", "leave out the range, or wrap it: rate(…[{{window}}])"},
	{"unknown function", "look for a misspelt function, or for a word too many"},
	{"argument(s)", "look up the function's arguments"},
	{"label matching", `write label="value", or label=~"regular expression"`},
	{"non-empty matcher", "name a metric, or match a label by a value"},
	{"grouping opts", "write the labels in brackets: by (code)"},
	{"parsing regexp", "mend the regular expression"},
	{"no expression", "write a query"},
}
