package notify

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// quote makes a string from an event harmless in one kind of text, and at most limit UTF-16 units long: the longest of
// the ways in which a receiver may count.
type quote func(s string, limit int) string

// plain is for text without markup.
func plain(s string, limit int) string { return bound(flat(s), limit, keep) }

// markup is for Slack's mrkdwn: no mention, no link, no code span.
func markup(s string, limit int) string { return bound(flat(s), limit, escape) }

// code is for the inside of a Slack code block, which may have lines.
func code(s string, limit int) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRightFunc(strings.Map(visible, l), unicode.IsSpace)
	}
	return bound(strings.Trim(strings.Join(lines, "\n"), "\n"), limit, escape)
}

// flat is s on one line, without what cannot be seen.
func flat(s string) string { return strings.Join(strings.Fields(strings.Map(visible, s)), " ") }

// visible drops control and formatting characters (terminal escapes, writing direction, zero width), and makes every
// kind of space a space. An invalid byte becomes U+FFFD.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.In(r, unicode.Cc, unicode.Cf):
		return -1
	default:
		return r
	}
}

func keep(r rune) string { return string(r) }

func escape(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '`':
		return "ˋ" // there is no way to write a backtick inside a code span
	default:
		return string(r)
	}
}

// bound escapes s and cuts it on a rune's border, so that with the "…" it is at most limit long.
func bound(s string, limit int, escape func(rune) string) string {
	var b strings.Builder
	used, cut := 0, 0
	for _, r := range s {
		piece := escape(r)
		used += units(piece)
		if used > limit {
			return strings.TrimRight(b.String()[:cut], " \n") + "…"
		}
		b.WriteString(piece)
		if used < limit {
			cut = b.Len()
		}
	}
	return b.String()
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// lines joins as many lines as fit into limit, and says how many there are more.
func lines(limit int, all []string) string {
	const room = 20 // for "… and 123456 more"
	var b strings.Builder
	for i, l := range all {
		if units(b.String())+1+units(l) > limit-room {
			b.WriteString("\n… and " + count(len(all)-i) + " more")
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l)
	}
	return strings.TrimLeft(b.String(), "\n")
}
