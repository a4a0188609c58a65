package steps

import (
	"time"

	"github.com/serin-cd/serin/rules"
)

// Step is a share of traffic and what must hold there before the next one. Before the first share there may be steps of
// an audience alone.
type Step struct {
	Share    Share         `json:"share"`
	Audience Audience      `json:"audience,omitempty"` // that sees the new version from this step on
	Bake     time.Duration `json:"bake"`               // from the confirmed start of the step
	Approval bool          `json:"approval,omitempty"`
}

// Plan is everything Next needs to know of a policy. It is part of the rollout, so that a journal explains itself.
type Plan struct {
	Mover         Mover             `json:"mover"`
	Steps         []Step            `json:"steps"` // shares rise strictly, but for audiences without one before the first; the last is All
	Rules         []rules.Tolerance `json:"rules"`
	Failure       Failure           `json:"on_failure"`
	OnPromote     []Action          `json:"on_promote,omitempty"`
	ConfirmWithin time.Duration     `json:"confirm_within"`         // how long an exposure or action may take to be confirmed
	Recovery      time.Duration     `json:"recovery"`               // how long failed rules are watched after a rollback
	Advance       *Window           `json:"advance,omitempty"`      // steps begin only while it is open
	Freeze        []Window          `json:"freeze,omitempty"`       // and in none of these
	Tolerance     Share             `json:"tolerance,omitempty"`    // allowed gap between requested and measured share; 0: not compared
	ReadyWithin   time.Duration     `json:"ready_within,omitempty"` // how long the new version may take to be ready for its first traffic; 0: nobody asks
}

// MoverKind says who moves traffic.
type MoverKind string

// The movers. A policy names exactly one.
const (
	VersionFlag MoverKind = "version_flag" // a flag whose variants are versions
	FeatureFlag MoverKind = "flag"         // a flag that is on or off
	EventMover  MoverKind = "event"        // the user's deployer, asked by an event, acknowledging
	ExecMover   MoverKind = "exec"         // a command
	Observe     MoverKind = "observe"      // somebody else; Serin watches the measured share
)

// Mover is the one thing that moves traffic.
type Mover struct {
	Kind MoverKind `json:"kind"`
	Key  string    `json:"key,omitempty"`  // the flag's key, or the deployer's name
	Set  []string  `json:"set,omitempty"`  // exec: argument vector; {{share}}, {{percent}}, {{version}}, … are filled in
	Read []string  `json:"read,omitempty"` // exec: prints the percentage the new version has
}

// ActionKind is what is done on failure or promotion.
type ActionKind string

// The actions.
const (
	RollbackAction ActionKind = "rollback" // the mover goes to 0 and the rollback event is published
	FlagOff        ActionKind = "flag"     // a feature is turned off
	PublishEvent   ActionKind = "event"    // an event of that name is published
)

// Action is one thing to do.
type Action struct {
	Kind ActionKind `json:"kind"`
	Key  string     `json:"key,omitempty"` // the flag's key, or the event's name
}

// Failure is what is done when a rollout fails: Do at once; Else when one of Do is not confirmed in time or did not help.
type Failure struct {
	Do   []Action `json:"do"`
	Else []Action `json:"else,omitempty"`
}
