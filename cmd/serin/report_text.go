package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-cd/serin/deployments"
)

// The widths of a report's text: all of it fits into 80 columns.
const (
	reportWidth  = 80
	serviceWidth = 23
	nameWidth    = 21
)

func reportText(w io.Writer, r reportOf, rollouts bool) error {
	var b strings.Builder
	wrap(&b, "", r.title())
	if text := r.nothing(); text != "" {
		fmt.Fprintln(&b)
		wrap(&b, "", text)
		_, err := io.WriteString(w, b.String())
		return err
	}
	if len(r.Services) > 1 {
		r.table(&b)
	}
	fmt.Fprintln(&b)
	for _, l := range figureLines(r.Total) {
		wrap(&b, pad(l.name, nameWidth), l.text)
	}
	if rollouts {
		fmt.Fprintln(&b)
	}
	for _, a := range r.Rollouts {
		if rollouts {
			l := r.accountLine(a)
			wrap(&b, l.name+"  ", l.text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table has a line for each service, and one for all.
func (r reportOf) table(b *strings.Builder) {
	const form = "%9s %9s %11s %8s %7s %8s\n"
	fmt.Fprintf(b, "\n%s"+form, pad("SERVICE", serviceWidth), "RELEASES", "PROMOTED", "TAKEN BACK", "FAILURE", "LEAD", "RESTORE")
	row := func(name string, f deployments.Figures) {
		if name = clean(name); utf8.RuneCountInString(name) >= serviceWidth {
			wrap(b, "", name)
			name = ""
		}
		fmt.Fprintf(b, "%s"+form, pad(name, serviceWidth), strconv.Itoa(f.Releases), strconv.Itoa(f.Promoted), strconv.Itoa(f.TakenBack),
			percentOrDash(f.FailureRate), lastingOrDash(f.Lead.Median), lastingOrDash(f.Restore.Median))
	}
	for _, s := range r.Services {
		row(r.label(s.Slot), s.Figures)
	}
	row("in all", r.Total)
}

func percentOrDash(share *float64) string {
	if share == nil {
		return "-"
	}
	return percent(*share)
}

func lastingOrDash(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return lasting(*seconds)
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}

// wrap writes words behind a label, in as many lines as it takes; those that follow are indented as far.
func wrap(b *strings.Builder, label, text string) {
	indent := utf8.RuneCountInString(label)
	room := reportWidth - indent
	lines := []string{""}
	for _, word := range words(clean(text), room) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) > room:
			lines = append(lines, word)
		default:
			*last += " " + word
		}
	}
	b.WriteString(label + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n")
}

// words are those of a text, each no longer than a line. A number stays with its percent sign.
func words(text string, room int) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		if n := len(out); word == "%" && n > 0 {
			out[n-1] += " %"
			continue
		}
		for rest := []rune(word); len(rest) > 0; rest = rest[min(room, len(rest)):] {
			out = append(out, string(rest[:min(room, len(rest))]))
		}
	}
	return out
}
