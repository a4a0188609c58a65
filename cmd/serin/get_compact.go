package main

import (
	"strings"
)

// renderAll draws several rollouts, briefly: two or three lines each.
func renderAll(views []view, width int, colour bool) string {
	p := page{width: max(width, 20), paint: painter(colour)}
	if len(views) == 0 {
		p.add(row{{"No rollout is under way.", dim}})
	}
	for i, v := range views {
		if i > 0 {
			p.add(nil)
		}
		p.compact(v)
	}
	return strings.Join(p.lines, "\n") + "\n"
}

func (p *page) compact(v view) {
	p.add(append(append(title(v), span{"   ", none}), rails(v)...))
	mark, c := mood(v)
	for i, line := range wrapTo(printable(v.Sentence), p.width-2, 2) {
		p.add(row{{map[bool]string{true: mark + " ", false: "  "}[i == 0], c}, {line, c}})
	}
	if !v.Silent.IsZero() {
		p.add(row{{"! no answer from a worker for " + spell(v.At, v.Silent), yellow}})
	}
}

// rails are the steps on one line: "✓ 5 %  ▶ 25 %  ○ 50 %".
func rails(v view) row {
	var out row
	for _, s := range v.Steps {
		out = append(out, span{stepMarks[s.State] + " " + printable(s.Name) + "  ", stepColours[s.State]})
	}
	return out
}
