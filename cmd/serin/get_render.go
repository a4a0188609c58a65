package main

import (
	"math"
	"slices"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// The marks and colours of verdicts. A mark says all; colour only helps.
var (
	verdictMarks = map[string]string{analysis.Healthy.String(): "✓", analysis.Unhealthy.String(): "✗", analysis.Outage.String(): "!",
		analysis.NoData.String(): "?", analysis.Inconclusive.String(): "~", notRead: "○"}
	verdictColours = map[string]colour{analysis.Healthy.String(): green, analysis.Unhealthy.String(): red, analysis.Outage.String(): yellow,
		analysis.NoData.String(): yellow, analysis.Inconclusive.String(): none, notRead: dim}
	stepMarks   = map[string]string{stepDone: "✓", stepPresent: "▶", stepTurned: "✗", stepToCome: "○", stepNotReached: "·"}
	stepColours = map[string]colour{stepDone: green, stepPresent: bold, stepTurned: red, stepToCome: none, stepNotReached: dim}
)

// render draws a view as a tree. No line is wider than width, which is at least 20.
func render(v view, width int, colour bool) string {
	p := page{width: max(width, 20), paint: painter(colour)}
	p.header(v)
	var parts []branch
	for _, b := range []branch{p.steps(v), p.rules(v), p.failure(v), p.queue(v), p.decisions(v)} {
		if len(b.rows) > 0 {
			parts = append(parts, b)
		}
	}
	for i, b := range parts {
		p.branch(b, i == len(parts)-1)
	}
	return strings.Join(p.lines, "\n") + "\n"
}

// page is lines of a width.
type page struct {
	width int
	paint painter
	lines []string
}

// branch is a part of the tree.
type branch struct {
	title row
	rows  []row
}

// add appends a row, cut to the width, without the blanks at its end.
func (p *page) add(r row) {
	r = slices.Clone(r)
	for n := len(r) - 1; n >= 0; n-- {
		if r[n].string = strings.TrimRight(r[n].string, " "); r[n].string != "" {
			break
		}
	}
	var b strings.Builder
	room := p.width
	for _, s := range r {
		text := cutTo(s.string, room)
		b.WriteString(p.paint.paint(text, s.colour))
		if room -= displayWidth(text); text != s.string {
			break
		}
	}
	p.lines = append(p.lines, b.String())
}

// indent is what the rows of a branch have before them.
const indent = 3

func (p *page) branch(b branch, last bool) {
	joint, trunk := "├─ ", "│  "
	if last {
		joint, trunk = "└─ ", "   "
	}
	p.add(append(row{{joint, dim}}, b.title...))
	for _, r := range b.rows {
		p.add(append(row{{trunk, dim}}, r...))
	}
}

// header is what it is, the sentence, and what is in the way.
func (p *page) header(v view) {
	p.add(title(v))
	var by []string
	for _, s := range []string{v.Author, v.RunURL} {
		if s != "" {
			by = append(by, printable(s))
		}
	}
	if len(by) > 0 {
		p.add(row{{"by " + strings.Join(by, ", "), dim}})
	}
	mark, c := mood(v)
	for i, line := range wrapTo(printable(v.Sentence), p.width-2, 4) {
		lead := "  "
		if i == 0 {
			lead = mark + " "
		}
		p.add(row{{lead, c}, {line, c}})
	}
	p.warn(v)
	p.add(nil)
}

// warn is what is in the way.
func (p *page) warn(v view) {
	say := func(text string) {
		for i, line := range wrapTo(printable(text), p.width-2, 3) {
			p.add(row{{map[bool]string{true: "! ", false: "  "}[i == 0], yellow}, {line, yellow}})
		}
	}
	if !v.Silent.IsZero() {
		text := "no answer from a worker for " + spell(v.At, v.Silent)
		if !v.Heard.IsZero() {
			text += "; this is from " + clock(v.At, v.Heard)
		}
		say(text)
	}
	if v.Waits != nil && (v.Hold != nil || v.Paused) { // else the sentence says it
		text := v.Waits.Why
		if !v.Waits.Until.IsZero() {
			text += " until " + clock(v.At, v.Waits.Until)
		}
		say(text)
	}
	if v.Hold != nil && v.Hold.Reason != "" {
		text := "holds since " + clock(v.At, v.Hold.Since) + ": " + v.Hold.Reason
		if v.Hold.Told {
			text += "; a person was told"
		}
		say(text)
	}
	if v.Trouble != "" {
		say("trouble: " + v.Trouble)
	}
}

// title names the release and where it goes.
func title(v view) row {
	out := row{{printable(v.Service), bold}}
	switch {
	case v.Version == "":
	case v.Stable == "":
		out = append(out, span{"  " + printable(v.Version), bold}, span{" (the first release)", none})
	default:
		out = append(out, span{"  " + printable(v.Version), bold}, span{" ← " + printable(v.Stable), none})
	}
	return append(out, span{"  " + printable(v.Environment), dim})
}

// mood is the mark before the sentence.
func mood(v view) (string, colour) {
	switch {
	case v.Unconfirmed, v.Outcome == steps.RestoreUnconfirmed:
		return "✗", red
	case v.Outcome == steps.Promoted:
		return "✓", green
	case v.Failure != nil:
		return "↩", red
	case v.Hold != nil, v.Paused, v.Phase == steps.AwaitingApproval:
		return "‖", yellow
	case v.Phase == "":
		return "·", dim
	}
	return "▶", green
}

// bakeBar is how wide the bar of a bake is.
const bakeBar = 10

func (p *page) steps(v view) branch {
	b := branch{title: row{{"steps", bold}}}
	names := 0
	for _, s := range v.Steps {
		names = max(names, displayWidth(printable(s.Name)))
	}
	names = min(names, (p.width-indent)/2)
	for _, s := range v.Steps {
		name := cutTo(printable(s.Name), names)
		if len(s.Audience) == 0 {
			name = strings.Repeat(" ", max(0, min(5, names)-displayWidth(name))) + name
		}
		c := stepColours[s.State]
		lead := row{{stepMarks[s.State] + " ", c}, {padTo(name, names) + "  ", c}}
		rest := p.width - indent - 4 - names
		if s.State == stepPresent && s.Left > 0 && s.Bake > 0 && rest > 50 {
			done := int(math.Round(bakeBar * float64(max(0, s.Bake-s.Left)) / float64(s.Bake)))
			lead = append(lead, span{strings.Repeat("█", min(done, bakeBar)), green}, span{strings.Repeat("░", bakeBar-min(done, bakeBar)) + "  ", dim})
			rest -= bakeBar + 2
		}
		for i, line := range wrapTo(printable(s.Detail), max(rest, 8), 3) {
			if i > 0 {
				lead = row{{strings.Repeat(" ", p.width-indent-rest), none}}
			}
			b.rows = append(b.rows, append(lead, span{line, map[bool]colour{true: none, false: dim}[s.State == stepPresent || s.State == stepTurned]}))
		}
	}
	return b
}
