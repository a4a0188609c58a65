package eventschema

import (
	"maps"
	"reflect"
	"slices"

	"github.com/serin-cd/serin/deployments"
)

// kind is what is known of one event besides what all carry: what it says, and which data it has always.
type kind struct {
	says   string
	always []string
}

// of adds to what every event of a rollout has.
func of(says string, more ...string) kind {
	return kind{says, append([]string{"release", "rollout", "rev", "phase", "started_at"}, more...)}
}

// answer is what every answer to a release has.
func answer(says string) kind { return kind{says, []string{"release", "rev"}} }

// kinds are the public events.
var kinds = map[string]kind{
	"policy.differs":        {"A worker offers another policy than those that run already, which stays.", []string{"reason"}},
	"release.accepted":      of("A release begins its rollout.", "reason", "target"),
	"release.duplicate":     answer("The version of a release runs, or was promoted."),
	"release.queued":        answer("A release waits for its slot."),
	"release.rejected":      answer("A release is refused: reason says why."),
	"release.superseded":    answer("A newer release takes the place of this one."),
	"step.started":          of("A step begins.", "seq"),
	"step.passed":           of("A step has passed: percent is its share.", "seq", "reason"),
	"traffic.requested":     of("A share is requested of the mover; a deployer answers with the same rollout, seq and percent.", "seq"),
	"traffic.confirmed":     of("The share is confirmed.", "seq"),
	"traffic.unconfirmed":   of("The share is not confirmed in time.", "seq"),
	"rule.failing":          of("A rule begins to fail: target is its name.", "target"),
	"rule.recovered":        of("A rule is healthy again: target is its name.", "target"),
	"analysis.inconclusive": of("The rollout holds: reason says what is missing.", "reason"),
	"approval.requested":    of("A person must approve the next step."),
	"approval.granted":      of("A person has approved the next step."),
	"rollout.paused":        of("A person has paused the rollout."),
	"rollout.resumed":       of("A person has resumed the rollout."),
	"rollout.failed":        of("The rollout is taken back by its rules, or for want of data.", "cause", "reason"),
	"rollout.aborted":       of("A person has ended the rollout.", "cause", "reason"),
	"rollout.not_ready":     of("The new version was not ready for traffic in time, and had none.", "cause", "outcome", "reason"),
	"rollback.requested":    of("The mover goes back to the stable version; on the subject rollback.<env>.<service>. to is null on a first release.", "from", "to", "cause", "reason"),
	"rollback.completed":    of("The way back is confirmed.", "cause", "actions"),
	"rollback.failed":       of("The way back is not confirmed in time, and goes on being tried.", "cause", "actions"),
	"flag.requested":        of("A feature is being turned off: target is the flag's key.", "target", "actions"),
	"flag.disabled":         of("A feature is off, and confirmed: target is the flag's key.", "target", "actions"),
	"rollout.promoted":      of("All traffic has the new version, and its rules have passed.", "outcome"),
	"rollout.restored":      of("A rollout that was taken back has ended. restored_at is when its failed rules were healthy again; without it they were not, within the time of recovery, or nobody watched.", "outcome", "cause"),
}

// Names are the names of the public events, sorted.
func Names() []string { return slices.Sorted(maps.Keys(kinds)) }

// Events is the JSON Schema of the public events.
func Events() []byte {
	data := schemaOf(reflect.TypeFor[deployments.EventData]())
	data.Description = "What every event carries as far as it applies. An event that a policy names (on_failure, on_promote) has this, and no more that is certain."
	n := &node{Schema: draft, ID: base + "events.schema.json", Title: "Events of Serin",
		Description: "A CloudEvent in structured mode. The body of one in binary mode, whose attributes are headers, fits the part of $defs that has its name.",
		Type:        "object", Required: []string{"specversion", "id", "source", "type", "time", "datacontenttype", "severity", "data"},
		Properties: envelope(), Defs: map[string]*node{"data": data}}
	for _, name := range Names() {
		k := kinds[name]
		n.Defs[name] = &node{Description: k.says, Ref: "#/$defs/data", Required: k.always}
		n.AllOf = append(n.AllOf, &node{
			If:   &node{Properties: map[string]*node{"type": {Const: "io.serin." + name + ".v1"}}},
			Then: &node{Properties: map[string]*node{"data": {Ref: "#/$defs/" + name}}},
		})
	}
	return text(n)
}

// envelope are the attributes of an event.
func envelope() map[string]*node {
	said := func(description string, n node) *node {
		n.Description = description
		return &n
	}
	one := node{Type: "string", MinLength: 1}
	return map[string]*node{
		"specversion":     {Const: "1.0"},
		"datacontenttype": {Const: "application/json"},
		"id":              said("<rollout>/<rev>/<event>, and what the event is about where there are several. It never changes, however often the event is delivered.", one),
		"source":          said("serin/<environment>/<service>", one),
		"subject":         said("The rollout.", one),
		"type":            said("io.serin.<event>.v1", node{Type: "string", Pattern: `^io\.serin\.[A-Za-z0-9_.-]+\.v1$`}),
		"time":            said("When it was decided.", node{Type: "string", Format: "date-time"}),
		"severity":        said("Who should look at it: a page needs a person.", *schemaOf(reflect.TypeFor[deployments.Severity]())),
		"releaseid":       said("The release event's id.", one),
		"sequence":        said("Counts the entries of the slot: between events of one slot, it tells their order.", node{Type: "string", Pattern: `^[1-9][0-9]*$`}),
		"traceparent":     said("Of the release, where it carried one (W3C Trace Context).", node{Type: "string", Pattern: `^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`}),
		"tracestate":      said("Of the release, where it carried one (W3C Trace Context).", one),
		"data":            {Ref: "#/$defs/data"},
	}
}

// descriptions say what a field of a type means.
var descriptions = map[string]string{
	"EventData.release":            "The release event's id.",
	"EventData.rev":                "Counts the slot's entries.",
	"EventData.seq":                "Rises when another share or step is wanted: what a deployer acknowledges.",
	"EventData.step":               "From 1; 0 where there is no rollout.",
	"EventData.percent":            "The requested share of traffic.",
	"EventData.confirmed_percent":  "The last confirmed share of traffic.",
	"EventData.from_percent":       "The share requested when the rollout turned back.",
	"EventData.audience":           "Requested besides the share: any of these groups; of a group all attributes, of an attribute any pattern.",
	"EventData.confirmed_audience": "The last confirmed one.",
	"EventData.from_audience":      "The one requested when the rollout turned back.",
	"EventData.reason":             "In words.",
	"EventData.by":                 "The person, or the version, that caused it.",
	"EventData.from":               "Of rollback.requested: the version taken back.",
	"EventData.to":                 "Of rollback.requested: the version to go back to; null on a first release.",
	"EventData.target":             "The rule, flag, mover or release that the event is about.",
	"EventData.evidence":           "What the decision rests on, worst first.",
	"EventData.actions":            "What is done about a failure, and what of it is confirmed.",
	"EventData.started_at":         "When the rollout's first share was confirmed; before that, of this entry.",
	"EventData.restored_at":        "Of rollout.restored: when the failed rules were healthy again.",
	"Reading.at":                   "The instant that was asked for.",
	"Reading.window":               "What {{window}} stood for, in nanoseconds.",
	"Reading.samples":              "Requests since the step's confirmed start.",
}
