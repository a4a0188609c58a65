package notify

import (
	"strings"

	"github.com/serin-cd/serin/steps"
)

// causes says why a rollout was taken back.
var causes = map[steps.Cause]string{
	steps.ByRules:       "a rule failed",
	steps.ByLostData:    "data was lost",
	steps.ByHoldTimeout: "held for too long",
	steps.ByPerson:      "a person's order",
	steps.BySuperseded:  "superseded by a newer release",
	steps.NotReady:      "it was not ready for traffic in time",
}

// done says what was done, a line an action.
func (t told) done() []string {
	var out []string
	for _, a := range t.Data.Actions {
		out = append(out, t.action(a)...)
	}
	return out
}

// reason is why, in words; not how an action was confirmed, which the action tells.
func (t told) reason() string {
	for _, a := range t.Data.Actions {
		if a.How == t.Data.Reason {
			return ""
		}
	}
	return t.q(t.Data.Reason, maxReason)
}

func (t told) action(a steps.ActionState) []string {
	how := "… not confirmed yet"
	if !a.Confirmed.IsZero() {
		how = "✓ confirmed"
		if by := t.q(a.How, maxName); by != "" {
			how += " (" + by + ")"
		}
	}
	name := t.q(a.Key, maxName)
	switch a.Kind {
	case steps.RollbackAction:
		return []string{t.mover(name) + " → " + t.back() + " " + how, "rollback event published"}
	case steps.FlagOff:
		return []string{"flag " + name + " → off " + how}
	case steps.PublishEvent:
		return []string{"event " + name + " published"}
	default:
		return []string{t.q(string(a.Kind), maxName) + " " + name + " " + how}
	}
}

// mover is what moves the traffic, as far as an event names it.
func (t told) mover(key string) string {
	return firstOf(key, t.q(flagOf(t.Data.Target), maxName), string(steps.Traffic))
}

// back is the version that the traffic goes back to.
func (t told) back() string {
	to := t.Data.Stable
	if t.Data.To.Said {
		to = t.Data.To.Version
	}
	return firstOf(t.q(to, maxName), "0 % (there is no version to go back to)")
}

// flagOf is the key in a target such as flag/new-checkout.
func flagOf(target string) string {
	return strings.TrimPrefix(target, string(steps.FlagTarget("")))
}
