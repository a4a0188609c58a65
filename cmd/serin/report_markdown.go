package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/serin-cd/serin/deployments"
)

func reportMarkdown(w io.Writer, r reportOf, rollouts bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", markdown(r.title()))
	if text := r.nothing(); text != "" {
		fmt.Fprintf(&b, "%s\n", markdown(text))
		_, err := io.WriteString(w, b.String())
		return err
	}
	if len(r.Services) > 1 {
		r.markdownTable(&b)
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, l := range figureLines(r.Total) {
		fmt.Fprintf(&b, "| %s | %s |\n", markdown(strings.TrimSpace(l.name)), markdown(l.text))
	}
	if rollouts {
		b.WriteString("\n| ended (UTC) | rollout |\n|---|---|\n")
		for _, a := range r.Rollouts {
			l := r.accountLine(a)
			fmt.Fprintf(&b, "| %s | %s |\n", l.name, markdown(l.text))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r reportOf) markdownTable(b *strings.Builder) {
	b.WriteString("| service | releases | promoted | taken back | failure rate | lead | restore |\n|---|---:|---:|---:|---:|---:|---:|\n")
	row := func(name string, f deployments.Figures) {
		fmt.Fprintf(b, "| %s | %d | %d | %d | %s | %s | %s |\n", markdown(name), f.Releases, f.Promoted, f.TakenBack,
			percentOrDash(f.FailureRate), lastingOrDash(f.Lead.Median), lastingOrDash(f.Restore.Median))
	}
	for _, s := range r.Services {
		row(r.label(s.Slot), s.Figures)
	}
	row("in all", r.Total)
	b.WriteByte('\n')
}
