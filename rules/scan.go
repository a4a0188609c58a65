package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/serin-cd/serin/internal/diag"
)

// place is where a placeholder stands, and so how its value is written.
type place uint8

const (
	placeNumber      place = iota // a bare number
	placeDuration                 // inside [ ] or after offset
	placeText                     // inside a string that is compared or printed as it is
	placeRegex                    // inside a string that is a regular expression
	placeReplacement              // inside label_replace's replacement, where $ means a group
)

// placeholder is one {{name}} of a template.
type placeholder struct {
	start, end int // of the braces, in the text as written
	name       string
	variable   variable
	place      place
	quote      byte // ", ' or ` inside a string, else 0
}

// scanner finds the placeholders of a text. It knows just enough of PromQL to tell strings, comments, braces and
// brackets apart; everything else is the parser's business.
type scanner struct {
	text     string
	pos      int
	quote    byte // of the string we are in, or 0
	escape   int  // bytes of an escape sequence still to come
	comment  bool
	braces   bool
	brackets bool
	word     string // the last token, where it is a word; comments, spaces and signs after it do not count
	joined   bool   // the byte before belongs to word
	found    []placeholder
	problems Problems
}

func scan(text string) ([]placeholder, Problems) {
	s := scanner{text: text}
	for s.pos < len(text) {
		if strings.HasPrefix(text[s.pos:], "{{") {
			s.placeholder()
			continue
		}
		s.byte(text[s.pos])
		s.pos++
	}
	return s.found, s.problems
}

func (s *scanner) byte(c byte) {
	switch {
	case s.comment:
		s.comment = c != '\n' && c != '\r'
	case s.quote != 0:
		s.inString(c)
	default:
		s.inCode(c)
	}
}

func (s *scanner) inCode(c byte) {
	joined := s.joined
	s.joined = c == '_' || isAlphanumeric(c)
	switch {
	case s.joined && joined:
		s.word = s.text[s.pos-len(s.word) : s.pos+1]
	case s.joined:
		s.word = s.text[s.pos : s.pos+1]
	case c == '#':
		s.comment = true
	case !strings.ContainsRune(" \t\r\n+-", rune(c)):
		s.word = ""
	}
	switch c {
	case '"', '\'', '`':
		s.quote = c
	case '{', '}':
		s.braces = c == '{'
	case '[', ']':
		s.brackets = c == '['
	}
}

func (s *scanner) inString(c byte) {
	switch {
	case s.escape < 0: // the byte after a backslash says how long the sequence is
		s.escape = escapeLength(c)
	case s.escape > 0:
		s.escape--
	case c == '\\' && s.quote != '`':
		s.escape = -1
	case c == s.quote:
		s.quote = 0
	}
}

// escapeLength is how many bytes follow the byte after a backslash.
func escapeLength(c byte) int {
	switch {
	case c == 'x':
		return 2
	case c == 'u':
		return 4
	case c == 'U':
		return 8
	case '0' <= c && c <= '7':
		return 2
	default:
		return 0
	}
}

// placeholder reads the placeholder at pos.
func (s *scanner) placeholder() {
	length := strings.Index(s.text[s.pos:], "}}")
	if length < 0 {
		s.problem("close it: {{version}}", "the placeholder is not closed")
		s.pos = len(s.text)
		return
	}
	p := placeholder{start: s.pos, end: s.pos + length + 2, quote: s.quote}
	p.name = strings.TrimSpace(s.text[p.start+2 : p.end-2])
	p.variable = variableNamed(p.name)
	if s.check(&p) {
		s.found = append(s.found, p)
	}
	s.pos, s.joined = p.end, false
	if s.quote == 0 && !s.comment {
		s.word = ""
	}
}

// check refuses a placeholder that stands where its value cannot be escaped, and sets its place.
func (s *scanner) check(p *placeholder) bool {
	known := append(variables[1:len(variables):len(variables)], "vars.NAME")
	switch {
	case p.variable == noVariable:
		return s.problem(diag.Suggest(p.name, known), "unknown variable {{%s}}", p.name)
	case s.comment:
		return s.problem("write the name without braces", "{{%s}} stands in a comment", p.name)
	case s.quote != 0 && s.escape != 0:
		return s.problem("write \\\\ for a backslash", "{{%s}} stands inside an escape sequence", p.name)
	case s.quote != 0:
		p.place = placeText // a regular expression is told from it by the parsed query
		return true
	case s.braces:
		return s.problem(`variables stand inside the quotes of a value: version="{{version}}"`, "{{%s}} stands inside { } without quotes", p.name)
	case s.touches(*p):
		return s.problem("write the name or number out", "{{%s}} stands inside a name or number", p.name)
	case s.brackets || strings.EqualFold(s.word, "offset"):
		p.place = placeDuration
		return p.variable == varWindow || s.problem("use {{window}}, or write the duration itself", "{{%s}} is no duration", p.name)
	}
	return p.variable.numeric() || s.problem(fmt.Sprintf("put it in quotes: \"{{%s}}\"", p.name), "{{%s}} is text, and stands without quotes", p.name)
}

// touches reports whether the placeholder is joined to a name, a number or another placeholder.
func (s *scanner) touches(p placeholder) bool {
	joined := func(c byte) bool { return c == '_' || c == ':' || c == '.' || isAlphanumeric(c) }
	before, after := s.text[:p.start], s.text[p.end:]
	if s.brackets && strings.HasSuffix(before, ":") { // [5m:{{window}}]
		before = ""
	}
	if s.brackets && strings.HasPrefix(after, ":") { // [{{window}}:1m]
		after = ""
	}
	switch {
	case after != "" && joined(after[0]), strings.HasPrefix(after, "{{"):
		return true
	case exponent.MatchString(before[max(0, len(before)-3):]):
		return true
	}
	return before != "" && joined(before[len(before)-1])
}

// exponent is the end of a number, as in 1e-, that still needs its exponent.
var exponent = regexp.MustCompile(`[0-9._][eE][+-]$`)

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (s *scanner) problem(cure, format string, args ...any) bool {
	s.problems = append(s.problems, Problem{Offset: s.pos, Message: fmt.Sprintf(format, args...), Cure: cure})
	return false
}
