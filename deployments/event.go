package deployments

import (
	"encoding/json"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Severity says who should look at an event.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Page    Severity = "page" // a person must act
)

// Event is one public fact: what other software sees. Its id never changes, however often it is delivered.
type Event struct {
	ID       string // <rollout>/<rev>/<name>[/<rule or target>]
	Name     string // two tokens, for example rollout.promoted
	Slot     Slot
	Time     time.Time
	Severity Severity
	Subject  string // the subject it is published on, without the prefix: event.<env>.<service>.<name> or rollback.<env>.<service>
	Data     EventData
	Trace    Trace // of its release
}

// Back is the version that a rollback goes back to: in JSON its name, or null where there is none. Other events than
// that of a rollback do not say; theirs is the zero Back.
type Back struct {
	Said    bool
	Version string
}

// BackTo is the way back to a version; "" is none.
func BackTo(version string) Back { return Back{Said: true, Version: version} }

// IsZero reports whether nothing is said.
func (b Back) IsZero() bool { return !b.Said }

// MarshalJSON writes the version, or null.
func (b Back) MarshalJSON() ([]byte, error) {
	if b.Version == "" {
		return []byte("null"), nil
	}
	return json.Marshal(b.Version)
}

// UnmarshalJSON reads a version, or null.
func (b *Back) UnmarshalJSON(text []byte) error {
	*b = Back{Said: true}
	if string(text) == "null" {
		return nil
	}
	return json.Unmarshal(text, &b.Version)
}

// EventData is an event's body. It is self-contained: nobody has to ask back to understand it.
type EventData struct {
	Service           string               `json:"service"`
	Environment       string               `json:"environment"`
	Version           string               `json:"version"`
	Stable            string               `json:"stable_version,omitempty"`
	Release           string               `json:"release,omitempty"` // the release event's id
	Rollout           string               `json:"rollout,omitempty"`
	Rev               uint64               `json:"rev,omitempty"`
	Seq               uint64               `json:"seq,omitempty"`
	Phase             steps.Phase          `json:"phase,omitempty"`
	Step              int                  `json:"step"`                         // from 1
	Percent           float64              `json:"percent"`                      // requested share of traffic
	Confirmed         float64              `json:"confirmed_percent"`            // the last confirmed share
	FromPercent       float64              `json:"from_percent,omitempty"`       // the share requested when the rollout turned back
	Audience          steps.Audience       `json:"audience,omitempty"`           // requested besides the share; any of its groups, all attributes of a group, any pattern of an attribute
	ConfirmedAudience steps.Audience       `json:"confirmed_audience,omitempty"` // the last confirmed one
	FromAudience      steps.Audience       `json:"from_audience,omitempty"`      // the one requested when the rollout turned back
	Outcome           steps.Outcome        `json:"outcome,omitempty"`
	Cause             steps.Cause          `json:"cause,omitempty"`
	Reason            string               `json:"reason,omitempty"`
	By                string               `json:"by,omitempty"`   // the person or release that caused it
	From              string               `json:"from,omitempty"` // rollback: the version taken back
	To                Back                 `json:"to,omitzero"`    // rollback: the version to go back to; null on a first release
	Target            string               `json:"target,omitempty"`
	Author            string               `json:"author,omitempty"`
	RunURL            string               `json:"run_url,omitempty"`
	Evidence          []analysis.Judgement `json:"evidence,omitempty"` // worst first
	Actions           []steps.ActionState  `json:"actions,omitempty"`
	Started           time.Time            `json:"started_at,omitzero"`  // of the rollout
	Restored          time.Time            `json:"restored_at,omitzero"` // when the failed rules were healthy again
}
