package analysis

import (
	"time"

	"github.com/serin-cd/serin/rules"
)

// Proof is what a reading over a window can show. The zero value is ProvesNothing.
type Proof uint8

// The proofs, each including the one before.
const (
	ProvesNothing Proof = iota // the window reaches behind the first exposure: it may speak of another release
	ProvesFaults               // it reaches behind the step's start: a failing reading counts, a passing one does not
	ProvesHealth               // it lies wholly inside the step
)

// Window is the stretch of time that a reading speaks of, up to its instant.
type Window struct {
	Length  time.Duration // what {{window}} stands for, in whole milliseconds
	Clipped bool          // Length is shorter than the rule's own window
	Proof   Proof
	Why     string // why the proof is less than ProvesHealth
}

// Clip fits a rule's window between the first exposure and the instant, and tells what a reading over it can prove.
// A zero since means that nothing is exposed, a zero inside that the step is not confirmed.
func Clip(rule rules.Rule, since, inside, at time.Time) Window {
	exposed := at.Sub(since).Truncate(time.Millisecond) // truncated, so that the window never begins before since
	if since.IsZero() || exposed <= 0 {
		return Window{Why: "nothing is exposed yet"}
	}
	w := Window{Length: min(rule.Window, exposed), Clipped: rule.Window > exposed}
	reach := reach(rule, w.Length)
	switch {
	case !inside.IsZero() && at.Before(inside.Add(rule.Warmup)):
		w.Why = "warming up for " + rule.Warmup.String() + " of the step"
	case reach > exposed:
		// Clipping did not help: a range or an offset is written into the expression.
		w.Why = "window reaches behind the first exposure"
	case inside.IsZero():
		w.Proof, w.Why = ProvesFaults, "the step is not confirmed yet"
	case at.Add(-reach).Before(inside):
		w.Proof, w.Why = ProvesFaults, "window reaches behind the step's start"
	default:
		w.Proof = ProvesHealth
	}
	return w
}

// reach is how far back the rule's queries look from their instant. What a recording rule hides is not in it.
func reach(rule rules.Rule, window time.Duration) time.Duration {
	var reach time.Duration
	for _, t := range templates(rule) {
		reach = max(reach, t.Reach(window))
	}
	return reach
}

// templates are the rule's questions: two of a ratio and of an alert that asks for data, else one.
func templates(rule rules.Rule) []rules.Template {
	if rule.Ratio() {
		return []rules.Template{rule.Bad, rule.Total}
	}
	if rule.Alert != nil && rule.Alert.Data.Text() != "" {
		return []rules.Template{rule.Query, rule.Alert.Data}
	}
	return []rules.Template{rule.Query}
}

// uses reports whether any of the rule's questions has the variable.
func uses(rule rules.Rule, name string) bool {
	for _, t := range templates(rule) {
		if t.Uses(name) {
			return true
		}
	}
	return false
}
