package notify

import (
	"strings"

	"github.com/serin-cd/serin/deployments"
)

// marks begin a line in a terminal; other events have a dot.
var marks = map[string]string{
	"step.passed": "✓", "approval.granted": "✓", "rollout.promoted": "✓", "rollout.restored": "✓", "rule.recovered": "✓",
	"rollback.completed": "✓", "flag.disabled": "✓",
	"rule.failing": "✗", "rollout.failed": "✗", "rollout.aborted": "✗", "rollout.not_ready": "✗", "rollback.failed": "✗", "flag.failed": "✗",
	"release.rejected": "✗", "traffic.unconfirmed": "✗",
	"analysis.inconclusive": "?", "approval.requested": "?", "rollout.paused": "‖",
}

// Text is the event as one line for a terminal, without colours, time or line break. It is safe to print.
func Text(e deployments.Event) string {
	t := told{Event: e, q: plain}
	line := firstOf(marks[e.Name], "·") + " " + t.headline()
	if env := plain(e.Data.Environment, maxName); env != "" {
		line = firstOf(marks[e.Name], "·") + " " + env + "/" + t.headline()
	}
	if said := t.because(); said != "" {
		line += ": " + said
	}
	return line
}

// because is why: the rules it rests on, or the reason in words.
func (t told) because() string {
	const most = 3
	var said []string
	for i, j := range t.shown() {
		if i == most {
			said = append(said, "and "+count(len(t.shown())-i)+" more")
			break
		}
		said = append(said, t.q(j.Rule, maxName)+" "+measured(j, t.q))
	}
	if len(said) == 0 || t.Name == "rollback.failed" {
		said = append(said, t.reason())
	}
	if t.Name == "rollback.completed" || t.Name == "rollback.failed" {
		said = append(said, t.done()...)
	}
	return strings.Join(compact(said), "; ")
}

func compact(all []string) []string {
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
