package main

import (
	"strings"
	"unicode/utf8"
)

// colour is a colour or weight of text: the number of its terminal sequence.
type colour string

const (
	none   colour = ""
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

// painter colours text, if it is true.
type painter bool

func (p painter) paint(text string, c colour) string {
	if !p || c == none || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// span is text of one colour. Text from elsewhere must be clean.
type span struct {
	string
	colour
}

// row is one line on the screen.
type row []span

const unlimited = 1 << 20

// text is the row, cut to a width. All characters that are drawn here are one column wide.
func (r row) text(width int, p painter) string {
	var b strings.Builder
	for _, s := range r {
		n := utf8.RuneCountInString(s.string)
		if n > width {
			cut := string([]rune(s.string)[:max(width-1, 0)]) + "…"
			b.WriteString(p.paint(cut, s.colour))
			break
		}
		width -= n
		b.WriteString(p.paint(s.string, s.colour))
	}
	return b.String()
}
