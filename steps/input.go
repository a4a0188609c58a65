package steps

import (
	"time"

	"github.com/serin-cd/serin/analysis"
)

// Input is what happened. It is one of Tick, Applied, Measured, Command, Superseded.
type Input interface{ input() }

// Tick is the passing of time.
type Tick struct{}

// Applied answers an Expose: what the world was seen to look like. With the target Ready it answers a Probe.
type Applied struct {
	Rollout   string `json:"rollout,omitempty"` // that was answered; "" in entries that do not say
	Seq       uint64 `json:"seq"`
	Target    Target `json:"target"`
	Observed  Share  `json:"observed"`            // the share read back, acknowledged or measured
	Confirmed bool   `json:"confirmed,omitempty"` // Observed is a fact from another source than the write itself
	How       string `json:"how,omitempty"`       // what confirmed it
	Err       string `json:"err,omitempty"`       // why not
}

// Measured carries the newest judgement of every rule there is one of, with the instant each was read at.
type Measured struct {
	Rollout  string               `json:"rollout,omitempty"` // that was read for; "" in entries that do not say
	At       time.Time            `json:"at"`
	Seq      uint64               `json:"seq"`
	Verdicts []analysis.Judgement `json:"verdicts"`
	Share    *Share               `json:"share,omitempty"` // the measured share of the new version, where it is known
}

// Verb is what a person may order.
type Verb string

// The verbs.
const (
	Approve Verb = "approve" // let an awaited step begin
	Promote Verb = "promote" // end this step's bake now, or with Full those of all steps; their rules must still pass
	Pause   Verb = "pause"   // do not advance; rules still roll back
	Resume  Verb = "resume"  // advance again
	Abort   Verb = "abort"   // take the release back; wins over everything
	Retry   Verb = "retry"   // try again at once what is not confirmed
)

// Command is an order by a person.
type Command struct {
	Verb    Verb   `json:"verb"`
	Rollout string `json:"rollout,omitempty"` // that is meant; "": whichever is under way when the order arrives
	Full    bool   `json:"full,omitempty"`    // promote: all steps
	By      string `json:"by,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Superseded says that a newer release wants the slot.
type Superseded struct {
	By string `json:"by"` // the newer version
}

func (Tick) input()       {}
func (Applied) input()    {}
func (Measured) input()   {}
func (Command) input()    {}
func (Superseded) input() {}
