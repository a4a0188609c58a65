package steps

import (
	"time"

	"github.com/serin-cd/serin/analysis"
)

// Rollout is one release's way through its plan: its whole state, a value. Only Next makes a new one.
type Rollout struct {
	ID          string `json:"id"`
	Service     string `json:"service"`
	Environment string `json:"environment"`
	Version     string `json:"version"`
	Stable      string `json:"stable,omitempty"` // the last promoted version; "" on a first release
	Plan        Plan   `json:"plan"`

	Phase Phase     `json:"phase"`
	Since time.Time `json:"since"` // when the phase began
	Step  int       `json:"step"`  // index into Plan.Steps
	Seq   uint64    `json:"seq"`   // rises when the wanted exposure or step changes

	Checking     time.Time     `json:"checking,omitzero"`      // since when a pending rollout is asked whether it is ready
	Want         Share         `json:"want"`                   // requested share
	Confirmed    Share         `json:"confirmed"`              // the last share that was confirmed
	Audience     Audience      `json:"audience,omitempty"`     // requested besides the share
	Shifted      time.Time     `json:"shifted,omitzero"`       // when Want was requested
	StepBegan    time.Time     `json:"step_began,omitzero"`    // when this step's share was confirmed
	FirstExposed time.Time     `json:"first_exposed,omitzero"` // when the first share or audience was confirmed
	Held         time.Duration `json:"held,omitempty"`         // time of this step's bake that was lost to holds

	ConfirmedAudience Audience `json:"confirmed_audience,omitempty"` // the last that was confirmed

	Rules []RuleState `json:"rules,omitempty"` // in the plan's order
	Hold  *Hold       `json:"hold,omitempty"`

	Paused      bool   `json:"paused,omitempty"`
	Approved    bool   `json:"approved,omitempty"`    // this step's approval was given
	SkipBake    bool   `json:"skip_bake,omitempty"`   // a person ended this step's bake
	Full        bool   `json:"full,omitempty"`        // a person ended the bakes of all steps, and gave their approvals
	Retries     int    `json:"retries,omitempty"`     // how often a person had it tried again at once
	Unconfirmed bool   `json:"unconfirmed,omitempty"` // an exposure or action was not confirmed in time; a person was told
	LastError   string `json:"last_error,omitempty"`  // of the mover or an action, while it is not confirmed

	Failure *FailureState `json:"failure,omitempty"` // set once, when the rollout turns back
	Outcome Outcome       `json:"outcome,omitempty"`
	Cause   Cause         `json:"cause,omitempty"`
	EndedAt time.Time     `json:"ended_at,omitzero"`
}

// RuleState is what must not be lost about a rule.
type RuleState struct {
	Rule         string    `json:"rule"`
	Seen         bool      `json:"seen,omitempty"`         // had data on this rollout
	FailingSince time.Time `json:"failing_since,omitzero"` // the first of the failing readings in a row
	FailedAt     time.Time `json:"failed_at,omitzero"`     // the last failing reading that was counted
	InARow       int       `json:"in_a_row,omitempty"`     // failing readings in a row, where they are counted
	InAStep      int       `json:"in_a_step,omitempty"`    // failing readings of this step, where they are counted
	Recovered    bool      `json:"recovered,omitempty"`    // healthy again after the rollback

	Series []SeriesState `json:"series,omitempty"` // of a rule whose `for` counts for each series: those that fail, by key
}

// SeriesState is a failing series of a rule whose `for` counts for each by itself.
type SeriesState struct {
	Key     string    `json:"key"`
	Since   time.Time `json:"since"`            // the first of its failing readings in a row
	Fired   bool      `json:"fired,omitempty"`  // it has failed for the rule's `for`
	Cleared time.Time `json:"cleared,omitzero"` // it no longer fails since then, and goes on firing for a while
}

// Hold is why a rollout does not advance, and since when.
type Hold struct {
	Verdict   analysis.Verdict `json:"verdict"`
	Rules     []string         `json:"rules,omitempty"` // whose verdict it is
	Reason    string           `json:"reason,omitempty"`
	Since     time.Time        `json:"since"`
	Told      bool             `json:"told,omitempty"`       // a person was told
	StopsBake bool             `json:"stops_bake,omitempty"` // the time it takes is given back to the bake
}

// FailureState is the way back: why, and what is being done.
type FailureState struct {
	Cause        Cause         `json:"cause"`
	Rules        []string      `json:"rules,omitempty"` // that failed
	Reason       string        `json:"reason"`
	By           string        `json:"by,omitempty"` // the person, or the superseding version
	At           time.Time     `json:"at"`
	FromShare    Share         `json:"from_share"`              // requested when it turned back
	FromAudience Audience      `json:"from_audience,omitempty"` // the same
	Actions      []ActionState `json:"actions"`
	Else         string        `json:"else,omitempty"`       // why the else actions were taken, if they were
	Restored     time.Time     `json:"restored_at,omitzero"` // when the failed rules were healthy again
}

// ActionState is one action on the way back.
type ActionState struct {
	Action
	Began     time.Time `json:"began"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	How       string    `json:"how,omitempty"` // what confirmed it
}
