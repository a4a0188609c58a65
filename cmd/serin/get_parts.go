package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// The widths of the columns of rules, beside the name.
const (
	samplesColumn = 7
	leastSpark    = 8
	mostSpark     = 120
)

func (p *page) rules(v view) branch {
	names, values := 4, 5
	for _, r := range v.Rules {
		names, values = max(names, displayWidth(printable(r.Rule))), max(values, displayWidth(r.measuredText()))
	}
	names, values = min(names, p.width/4), min(values, 20)
	spark := min(p.width-indent-2-names-2-values-2-samplesColumn-2, mostSpark)
	b := branch{title: row{{padTo("rules", names+2), bold}, {"  " + padTo("value", values) + "  samples", dim}}}
	if spark >= leastSpark {
		b.title = append(b.title, span{"  readings: ▄ limit, · none", dim})
	}
	for _, r := range v.Rules {
		c := verdictColours[r.Verdict]
		if !r.Read && r.Verdict == analysis.Healthy.String() {
			c = dim // of the step before
		}
		line := row{{verdictMarks[r.Verdict] + " ", c}, {padTo(printable(r.Rule), names) + "  ", none}, {padTo(r.measuredText(), values) + "  ", c},
			{fmt.Sprintf("%*s  ", samplesColumn, samples(r.Samples)), dim}}
		if spark >= leastSpark {
			line = append(line, r.sparkline(spark)...)
		}
		b.rows = append(b.rows, line)
		b.rows = append(b.rows, p.remark(r)...)
	}
	return b
}

// remark is what a rule that is not healthy has to say.
func (p *page) remark(r ruleView) []row {
	var text string
	switch {
	case r.Verdict == notRead, r.Verdict == analysis.Healthy.String() && r.Failing == "":
		return nil
	default:
		text = r.Verdict
		if r.Failing != "" {
			text += " " + r.Failing
		}
		if r.Reason != "" {
			text += ": " + r.Reason
		}
	}
	var out []row
	for _, line := range wrapTo(printable(text), p.width-indent-2, 2) {
		out = append(out, row{{"  ", none}, {line, verdictColours[r.Verdict]}})
	}
	return out
}

// samples is a count of events; it rounds down, as verdicts do.
func samples(n *analysis.Number) string {
	if n == nil {
		return "–"
	}
	f := float64(*n)
	if f >= 1e7 || math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Floor(f), 'f', 0, 64)
}

func (p *page) failure(v view) branch {
	f := v.Failure
	if f == nil {
		return branch{}
	}
	what := "taken back"
	switch {
	case v.Outcome == steps.NeverExposed:
		what = "ended"
	case v.Phase == steps.Reverting:
		what = "being taken back"
	}
	b := branch{title: row{{what, red}, {" " + printable(f.Text), none}}}
	say := func(lead, text string, c colour) {
		for i, line := range wrapTo(printable(text), p.width-indent-2, 3) {
			if i > 0 {
				lead = " "
			}
			b.rows = append(b.rows, row{{lead + " ", c}, {line, c}})
		}
	}
	if f.Reason != "" {
		say("✗", f.Reason, none)
	}
	if f.Else != "" {
		say("!", f.Else, yellow)
	}
	for _, a := range f.Actions {
		name := strings.TrimSpace(string(a.Kind) + " " + a.Key)
		if a.Confirmed.IsZero() {
			say("…", name+": not confirmed, for "+spell(v.At, a.Began), yellow)
			continue
		}
		say("✓", strings.TrimRight(name+": confirmed at "+clock(v.At, a.Confirmed)+", "+a.How, ", "), green)
	}
	if !f.Restored.IsZero() {
		say("✓", "healthy again at "+clock(v.At, f.Restored), green)
	}
	return b
}

func (p *page) queue(v view) branch {
	b := branch{title: row{{"queue", bold}}}
	for _, q := range v.Queue {
		text := q.Version + ", for " + spell(v.At, q.At)
		if q.Author != "" {
			text += ", by " + q.Author
		}
		b.rows = append(b.rows, row{{"○ ", none}, {printable(text), none}})
	}
	return b
}

func (p *page) decisions(v view) branch {
	b := branch{title: row{{"decisions", bold}}}
	for _, d := range v.Decisions {
		text := d.Text
		if d.By != "" {
			text += ", by " + d.By
		}
		at := d.At.Format("15:04:05  ")
		if d.At.Format("2006-01-02") != v.At.Format("2006-01-02") {
			at = d.At.Format("2 Jan 15:04  ")
		}
		for i, line := range wrapTo(printable(text), p.width-indent-displayWidth(at), 2) {
			if i > 0 {
				at = strings.Repeat(" ", displayWidth(at))
			}
			b.rows = append(b.rows, row{{at, dim}, {line, none}})
		}
	}
	return b
}
