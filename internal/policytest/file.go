package policytest

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/steps"
)

// File is the tests of one policy.
type File struct {
	Name   string
	Policy deployments.Policy
	Tests  []Test
}

// Test is one release, the world it meets, and what is expected. Times count from the release.
type Test struct {
	Name string
	At   diag.Position

	Series []Series
	release
	ConfirmAfter time.Duration
	Happenings   []Happening
	Outages      []Outage
	Until        time.Duration
	Within       time.Duration // by which times of the course may differ

	Verdicts []Look
	Course   []Moment
	End      End
}

// release is the release that a test takes through the policy.
type release struct {
	Version string
	Stable  string    // "": a first release
	Zero    time.Time // the instant of the release
}

// Series is one input series in promtool's notation.
type Series struct {
	Labels   labels.Labels
	Values   []parser.SequenceValue
	Start    time.Duration // of the first value
	Interval time.Duration
	fixed    bool // Start is the series' own, and not the test's
}

// Happening is an order by a person, or a newer version where that is named.
type Happening struct {
	At      time.Duration
	Command steps.Command
	Version string
}

// Outage is a time in which Prometheus does not answer: from From until before To.
type Outage struct{ From, To time.Duration }

// Look is what rules are expected to say at a time.
type Look struct {
	At    time.Duration
	Rules []Expected
}

// Expected is what is expected of one rule's judgement. What is not written is not compared.
type Expected struct {
	At      diag.Position
	Rule    string
	Verdict *analysis.Verdict
	Numbers []Number
	Reason  string // a part of the judgement's reason
	Lost    *bool
}

// Number is an expected number of a reading.
type Number struct {
	Name string // value, limit, stable, samples, bad or total
	Want float64
}

// Moment is a line of a course: something that people see happening to a rollout.
type Moment struct {
	Place diag.Position
	At    time.Duration
	Kind  string // step, hold, awaits or off
	What  string // the percentage, the verdict, "approval", the flag
	Note  string // in words; of real moments
}

// The kinds of moments.
const (
	kindStep   = "step"   // a share is confirmed; 0: taken back
	kindHold   = "hold"   // it does not advance, for this verdict; none: no more
	kindAwaits = "awaits" // it waits for a person's approval
	kindOff    = "off"    // a flag is turned off, and confirmed
)

// End is how a rollout ends. What is not written is not compared.
type End struct {
	Outcome string // "running": not at all
	Cause   string
	Failed  []string       // rules
	Ended   *time.Duration // since the release
	written map[string]diag.Position
}

// running is the outcome of a rollout that has not ended when the test does.
const running = "running"
