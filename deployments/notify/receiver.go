package notify

import (
	"path"
	"slices"
	"time"

	"github.com/serin-cd/serin/deployments"
)

// Kind says how a receiver is told.
type Kind string

// The kinds.
const (
	SlackChannel Kind = "slack channel" // a bot's messages, which it edits and answers
	SlackWebhook Kind = "slack webhook" // an incoming webhook: each message is a new one
	HTTPWebhook  Kind = "webhook"       // the event itself, signed
)

// Group says which events share a message.
type Group string

// The groups.
const (
	ByRollout Group = "rollout"
	ByEvent   Group = "event"
)

// DefaultRepeat is how often a person is told again of what waits for them.
const DefaultRepeat = 30 * time.Minute

// Receiver is somebody who is told of events, and of which. Secrets stand in files, which it names.
type Receiver struct {
	Name string
	Kind Kind

	Channel     string // Slack: a name such as #deploys, or an id
	TokenFile   string // Slack: with the bot's token
	APIURL      string // Slack: of the Web API
	WebhookFile string // Slack: with the address of an incoming webhook
	URL         string // webhook
	SecretFile  string // webhook: of the signature

	Services, Environments []string             // names or patterns; none: all
	Events                 []string             // names or patterns; none: what the kind gets by default
	Severity               deployments.Severity // this and above; "": all
	Repeat                 time.Duration        // 0: never
	Group                  Group
	TemplateFile           string
}

// Person reports whether people read what the receiver is told: they get decisions, not each fact.
func (r Receiver) Person() bool { return r.Kind != HTTPWebhook }

// Scope reports whether the receiver is told of a slot at all.
func (r Receiver) Scope(s deployments.Slot) bool {
	return anyOf(r.Services, s.Service) && anyOf(r.Environments, s.Environment)
}

// Wants reports whether an event is worth a message to the receiver.
func (r Receiver) Wants(e deployments.Event) bool {
	switch {
	case !r.Scope(e.Slot), rank(e.Severity) < rank(r.Severity):
		return false
	case r.Person() && Inhibited(e):
		return false
	case len(r.Events) > 0:
		return anyOf(r.Events, e.Name)
	default:
		return !r.Person() || wanted(e)
	}
}

// anyOf reports whether a name matches one of the patterns, of which none match all.
func anyOf(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// rank orders severities; one that nobody knows is no less than any.
func rank(s deployments.Severity) int {
	switch s {
	case "", deployments.Info:
		return 0
	case deployments.Warning:
		return 1
	case deployments.Page:
		return 2
	}
	return 2
}

// inhibitable are the events that say nothing to a person once the rollout has turned back: the decision says it.
var inhibitable = map[string]bool{
	"step.started": true, "step.passed": true, "traffic.requested": true, "traffic.confirmed": true, "traffic.unconfirmed": true,
	"rule.failing": true, "rule.recovered": true, "analysis.inconclusive": true, "approval.requested": true, "approval.granted": true,
	"rollout.paused": true, "rollout.resumed": true,
}

// Inhibited reports whether the decision that an event's rollout has turned back (rollout.failed, rollout.aborted,
// release.superseded) stands for the event. The event itself says so: it carries the state it was told from.
func Inhibited(e deployments.Event) bool {
	return inhibitable[e.Name] && e.Data.Cause != ""
}
