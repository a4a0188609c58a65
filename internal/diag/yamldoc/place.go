package yamldoc

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/diag"
)

// Pos is the value's place.
func (v Value) Pos() diag.Position {
	switch {
	case v.file == nil:
		return diag.Position{}
	case v.node == nil:
		return diag.Position{File: v.file.Name, Line: 1, Column: 1}
	}
	return diag.Position{File: v.file.Name, Line: v.node.Line, Column: v.node.Column}
}

// At is the place of the byte at offset of a string value: in plain, quoted, literal and folded scalars, over line
// breaks and escapes. Inside of folded white space it is where the white space begins. An alias is its own place, since
// its text stands elsewhere. Columns count characters.
func (v Value) At(offset int) diag.Position {
	if v.node == nil || v.node.Kind != yaml.ScalarNode || offset <= 0 && !v.isBlock() {
		return v.Pos()
	}
	start, ok := v.file.byteOf(v.node.Line, v.node.Column)
	if !ok {
		return v.Pos()
	}
	a := aligner{src: v.file.text, at: start, value: v.node.Value, style: v.node.Style}
	a.skipProperties(v.node)
	a.open()
	a.value = strings.TrimRight(a.value, " \t\r\n") // its end is the end of its text, not the line after a block
	if !a.to(min(max(offset, 0), len(a.value))) {
		return v.Pos()
	}
	line := strings.Count(a.src[:a.at], "\n") + 1
	begin := strings.LastIndexByte(a.src[:a.at], '\n') + 1
	return diag.Position{File: v.file.Name, Line: line, Column: utf8.RuneCountInString(a.src[begin:a.at]) + 1}
}

func (v Value) isBlock() bool { return v.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// byteOf is the offset of a line's column, both from 1.
func (f *File) byteOf(line, column int) (int, bool) {
	if line < 1 || line > len(f.lines) {
		return 0, false
	}
	at := 0
	for _, l := range f.lines[:line-1] {
		at += len(l) + 1
	}
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(f.text[at:])
		at += size
	}
	return at, at < len(f.text)
}

// aligner walks along a scalar's source and its value together.
type aligner struct {
	src   string
	at    int // in src
	value string
	done  int // bytes of value passed
	style yaml.Style
}

// skipProperties passes the anchor and the tag in front of a scalar.
func (a *aligner) skipProperties(n *yaml.Node) {
	for a.at < len(a.src) && (a.src[a.at] == '&' && n.Anchor != "" || a.src[a.at] == '!' && n.Style&yaml.TaggedStyle != 0) {
		for a.at < len(a.src) && !isSpace(a.src[a.at]) {
			a.at++
		}
		a.skipSpace()
	}
}

// open passes the opening quote, or the line of a block scalar's indicator.
func (a *aligner) open() {
	switch {
	case a.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		if i := strings.IndexByte(a.src[a.at:], '\n'); i >= 0 {
			a.at += i + 1
			a.style |= block
		}
	case a.quoted():
		a.at++
	}
}

// block marks that the source begins with indentation, which is not part of the value.
const block yaml.Style = 1 << 30

func (a *aligner) quoted() bool { return a.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 }

// to walks until so many bytes of the value have passed.
func (a *aligner) to(offset int) bool {
	for {
		ended := a.done >= offset && a.done == len(a.value)
		if !ended && a.at < len(a.src) && isSpace(a.src[a.at]) && !a.space(offset) {
			return true
		}
		if a.done >= offset {
			return true
		}
		if a.at >= len(a.src) || !a.step() {
			return false
		}
	}
}

// space passes white space on both sides, as much as there is. It is false when offset lies inside.
func (a *aligner) space(offset int) bool {
	end := a.at
	for end < len(a.src) && isSpace(a.src[end]) {
		end++
	}
	run := a.folded(a.src[a.at:end])
	if a.done+run > offset {
		if end-a.at == run { // nothing is folded
			a.at += offset - a.done
		}
		return false
	}
	a.at, a.done, a.style = end, a.done+run, a.style&^block
	return true
}

// folded is how much of the value the white space of the source stands for. In a block it is all there is, since line
// breaks and indentation are the only difference; elsewhere some of what follows in the value may be escapes.
func (a *aligner) folded(space string) int {
	run := 0
	for a.done+run < len(a.value) && isSpace(a.value[a.done+run]) {
		run++
	}
	if a.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return run
	}
	breaks := strings.Count(space, "\n")
	switch breaks {
	case 0:
		return min(run, len(space))
	case 1:
		return min(run, 1)
	default:
		return min(run, breaks-1)
	}
}

// step passes one character that is no white space.
func (a *aligner) step() bool {
	r, size := utf8.DecodeRuneInString(a.value[a.done:])
	switch {
	case a.style&yaml.DoubleQuotedStyle != 0 && a.src[a.at] == '\\':
		return a.escape(size)
	case a.style&yaml.SingleQuotedStyle != 0 && r == '\'':
		a.at++ // '' stands for '
	case !strings.HasPrefix(a.src[a.at:], a.value[a.done:a.done+size]):
		return false
	}
	a.at += size
	a.done += size
	return true
}

// escape passes a backslash sequence, which stands for size bytes of the value, or for none at a line's end.
func (a *aligner) escape(size int) bool {
	if a.at+1 >= len(a.src) {
		return false
	}
	switch a.src[a.at+1] {
	case '\n', '\r':
		a.at++
		a.skipSpace()
		return true
	case 'x':
		a.at += 4
	case 'u':
		a.at += 6
	case 'U':
		a.at += 10
	default:
		a.at += 2
	}
	a.done += size
	return a.at < len(a.src)
}

func (a *aligner) skipSpace() {
	for a.at < len(a.src) && isSpace(a.src[a.at]) {
		a.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
