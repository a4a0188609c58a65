package rules

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/internal/diag"
)

// Response is what follows from a rule's verdict.
type Response string

// The responses. Which of them a key may have stands at the key.
const (
	Hold     Response = "hold"     // do not advance; a person is told after alert_after
	Rollback Response = "rollback" // take the release back
	Notify   Response = "notify"   // tell, and go on
	Pass     Response = "pass"     // count it as healthy
)

// Severity says who should look when a rule fails.
type Severity string

// The severities. Without one, what follows from the failure decides.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical" // a person must act
)

// Rule is what healthy means, in PromQL. It has either Bad and Total (a ratio of counts), or Query (any value).
type Rule struct {
	Name string
	At   diag.Position `json:"-"` // where the rule is written; says nothing about what it does

	Bad, Total Template // the count of bad events, and of all, over {{window}}
	Counts     Counting // what Bad and Total count
	Query      Template // a value, compared with Min and Max

	Compare *Compare // of a Query: limits beside the stable version's value; nil: none
	Alert   *Alert   // of a Query: which of its values make an alert fire, in place of Min and Max; nil: it is no alert

	Min, Max    *float64 // the value is healthy from Min to Max, both included; nil: no such limit
	CriticalMax *float64 // a ratio above it is unhealthy below MinSamples too, and without waiting for For
	CriticalMin float64  // bad events that CriticalMax needs
	MinSamples  float64  // events since the step's confirmed start below which a ratio is never unhealthy

	Schedule   Schedule
	Window     time.Duration // what {{window}} stands for, before it is clipped
	Warmup     time.Duration // readings before this much of a step has gone by count for nothing
	Steps      []float64     // weights in percent at which the rule is read; none: at all
	OnNoData   Response      // Hold (default), Pass or Rollback
	OnDataLost Response      // Rollback (default) or Hold

	Tolerance
}

// Tolerance is how much of a rule's verdicts a rollout bears before it acts. It is what a plan needs to know of a rule.
type Tolerance struct {
	Rule             string        `json:"rule"`
	For              time.Duration `json:"for,omitempty"`         // how long a rule must fail without a healthy reading
	InARow           int           `json:"in_a_row,omitempty"`    // and how many readings in a row must fail; 0: For alone decides
	InAStep          int           `json:"in_a_step,omitempty"`   // so many failing readings of one step are too many, whatever lies between; 0: any number
	OnFail           Response      `json:"on_fail"`               // Rollback (default), Hold or Notify
	Severity         Severity      `json:"severity,omitempty"`    // of its failure
	AlertAfter       time.Duration `json:"alert_after,omitempty"` // a hold is told to a person after this; outages after OutageAlertAfter
	OutageAlertAfter time.Duration `json:"outage_alert_after,omitempty"`
	FailAfter        time.Duration `json:"fail_after,omitempty"`      // a hold of this length is a failure; 0: never
	OnError          Response      `json:"on_error,omitempty"`        // Rollback: an outage of FailAfter, or else of OutageAlertAfter, is a failure; Hold or "": no outage is
	PerSeries        bool          `json:"per_series,omitempty"`      // For counts for each failing series by itself
	KeepFiring       time.Duration `json:"keep_firing_for,omitempty"` // a series that has failed for For goes on failing so long after its last failing reading
}

// ReadAt reports whether the rule is read at a weight, in percent. Without traffic, after a rollback, it is.
func (r Rule) ReadAt(weight float64) bool {
	return len(r.Steps) == 0 || weight == 0 || slices.Contains(r.Steps, weight)
}

// Ratio reports whether the rule is a ratio of counts.
func (r Rule) Ratio() bool { return r.Total.Text() != "" }

// Counting says how the values of Bad and Total become counts of events.
type Counting uint8

// The ways of counting.
const (
	CountWindow    Counting = iota // the value counts the events of {{window}}
	CountPerSecond                 // the value is a rate: times the window it is a count
	CountFixed                     // the value is a count, but its window is written into the expression
)

// Set is the rules of one policy, in the order written. Names are unique.
type Set []Rule

// Tolerances lists what a plan needs to know of the rules, in their order.
func (s Set) Tolerances() []Tolerance {
	out := make([]Tolerance, len(s))
	for i, r := range s {
		out[i] = r.Tolerance
	}
	return out
}

// Find returns the rule of that name.
func (s Set) Find(name string) (Rule, bool) {
	for _, r := range s {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}
