package main

import (
	"strings"
	"unicode"
)

// wide are the runes that take two columns of a terminal: those of East Asian scripts, and pictures. Where terminals do
// not agree it counts two, so that a line may end early and never late.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0}, {0x23f3, 0x23f3}, {0x25fd, 0x25fe},
	{0x2614, 0x2615}, {0x2630, 0x2637}, {0x2648, 0x2653}, {0x267f, 0x267f}, {0x268a, 0x268f}, {0x2693, 0x2693}, {0x26a1, 0x26a1},
	{0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5}, {0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3},
	{0x26f5, 0x26f5}, {0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b}, {0x2728, 0x2728}, {0x274c, 0x274c},
	{0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27b0, 0x27b0}, {0x27bf, 0x27bf}, {0x2b1b, 0x2b1c},
	{0x2b50, 0x2b50}, {0x2b55, 0x2b55}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe10, 0xfe19}, {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x18dff}, {0x1aff0, 0x1b2ff},
	{0x1d300, 0x1d37f}, {0x1f000, 0x1f02f}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a}, {0x1f1e6, 0x1f265}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
	{0x1f7e0, 0x1f7ff}, {0x1f90c, 0x1faff}, {0x20000, 0x3fffd},
}

// columns is how many columns of a terminal a rune takes.
func columns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case r >= 0x1160 && r <= 0x11ff, unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	for _, w := range wide {
		if r >= w[0] && r <= w[1] {
			return 2
		}
	}
	return 1
}

// displayWidth is how many columns a text takes that has passed printable.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// printable is text from elsewhere for a place of known width: clean, and without the marks that join, turn or vary
// characters, whose width depends on the terminal. A base character keeps at most two combining ones.
func printable(s string) string {
	marks := 0
	return clean(strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp), r >= 0xfe00 && r <= 0xfe0f:
			return -1
		case columns(r) > 0:
			marks = 0
			return r
		}
		if marks++; marks > 2 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

// cutTo cuts a text to a width; … stands for the rest.
func cutTo(s string, width int) string {
	if displayWidth(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += columns(r); n > width-1 {
			return s[:i] + strings.Repeat("…", min(1, max(0, width)))
		}
	}
	return s
}

// padTo fills a text up with blanks to a width, or cuts it.
func padTo(s string, width int) string {
	s = cutTo(s, width)
	return s + strings.Repeat(" ", max(0, width-displayWidth(s)))
}

// wrapTo breaks a text into lines of a width: between words, and inside those that are longer. A number keeps its %. Behind
// most lines the rest is left out; 0: there is no such limit.
func wrapTo(s string, width, most int) []string {
	width = max(width, 2)
	var lines []string
	line := ""
	for _, word := range strings.FieldsFunc(strings.ReplaceAll(s, " %", "\u00a0%"), func(r rune) bool { return r == ' ' }) {
		word = strings.ReplaceAll(word, "\u00a0", " ")
		switch {
		case line == "":
			line = word
		case displayWidth(line)+1+displayWidth(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
		for displayWidth(line) > width {
			head := headOf(line, width)
			lines, line = append(lines, head), line[len(head):]
		}
	}
	lines = append(lines, line)
	if most > 0 && len(lines) > most {
		lines = append(lines[:most-1], cutTo(lines[most-1]+" …", width))
	}
	return lines
}

// headOf is as much of a text as fits into a width: at least one rune.
func headOf(s string, width int) string {
	n := 0
	for i, r := range s {
		if n += columns(r); n > width && i > 0 {
			return s[:i]
		}
	}
	return s
}
