package analysis

import (
	"context"
	"time"

	"github.com/serin-cd/serin/rules"
)

// Number is a float64 that JSON can carry: NaN and the infinities are written as strings.
type Number float64

// Reading is one rule's measured value and everything it rests on. It is the evidence of a decision: a person can ask
// each query again at the same instant.
type Reading struct {
	At         time.Time         `json:"at"`                    // the instant asked for
	Query      string            `json:"query,omitempty"`       // value rules: as sent
	BadQuery   string            `json:"bad_query,omitempty"`   // ratio rules: as sent
	TotalQuery string            `json:"total_query,omitempty"` // ratio rules: as sent; alerts: what shows that there is data
	Window     time.Duration     `json:"window"`                // what {{window}} stood for, after clipping
	Value      *Number           `json:"value,omitempty"`       // of several series the worst; nil: none
	Limit      *Number           `json:"limit,omitempty"`       // the limit that decided, or the nearest
	LimitKind  string            `json:"limit_kind,omitempty"`  // max, min or critical_max, of a comparison its limit, of an alert its operator
	Stable     *Number           `json:"stable,omitempty"`      // the same of the stable version, where it was asked
	Bad        *Number           `json:"bad,omitempty"`         // bad events in the window
	Total      *Number           `json:"total,omitempty"`       // all events in the window
	Samples    *Number           `json:"samples,omitempty"`     // events since the step's confirmed start
	Labels     map[string]string `json:"labels,omitempty"`      // of the deciding series, where it has any
	Error      string            `json:"error,omitempty"`       // why there is no value
}

// Judgement is the verdict of one rule, why, and the reading it rests on.
type Judgement struct {
	Rule     string  `json:"rule"`
	Verdict  Verdict `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`   // one clause, for people
	Lost     bool    `json:"lost,omitempty"`     // the series were there on this rollout and have vanished
	Critical bool    `json:"critical,omitempty"` // past critical_max: does not wait for the rule's `for`
	Data     bool    `json:"data,omitempty"`     // the reading had data: from now on its absence is a loss
	// Failing tells the failing series apart, where each has a `for` of its own; EverySeries: it fails as a whole.
	Failing []string `json:"failing,omitempty"`
	// Annotations are those of an alert that fires, filled in.
	Annotations map[string]string `json:"annotations,omitempty"`
	Reading     Reading           `json:"reading"`
}

// Query is one question to Prometheus. It carries the template and its variables, not finished text: that lets a client
// merge one template over many rollouts.
type Query struct {
	Source   *Source // nil: the one the client was made with
	Template rules.Template
	Vars     rules.Vars
}

// Sample is one element of an instant vector. A scalar is one sample without labels.
type Sample struct {
	Labels    map[string]string
	Value     float64
	Histogram bool // the sample is a native histogram: Value means nothing
}

// Result is the answer to one query, or why there is none. Queriers may share Samples between results: read only.
type Result struct {
	Expr     string // the query as sent
	Samples  []Sample
	Warnings []string // the server's: each makes the answer unusable, for it may be partial
	Err      error
}

// Querier asks Prometheus. It returns one result for each query, in order, all at the one instant.
type Querier interface {
	Query(ctx context.Context, qs []Query, at time.Time) []Result
}

// Request asks for one rule's judgement.
type Request struct {
	Source *Source // nil: the client's own
	Rule   rules.Rule
	Vars   rules.Vars // Window is set by the Analyst
	// Others has the Version and Variant that the other users get. Without a Version it is Vars.StableVersion.
	Others rules.Vars
	// Since is the first instant that belongs to this rollout's new version: a window that reaches behind it proves
	// nothing, so {{window}} is clipped to it.
	Since time.Time
	// Inside is the step's confirmed start: a passing reading counts once its window lies wholly after it, and samples
	// are counted from it where the window holds too few. Zero: not confirmed, so that nothing passes.
	Inside time.Time
	// Unweighted says that users see the new version without a share of traffic: a rule that is read at some shares only
	// is not read.
	Unweighted bool
	// Seen says that this rule had data on this rollout before.
	Seen bool
}
