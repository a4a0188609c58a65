package deployments

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

// FlagChange is the record of one change of a flag: what was there and what is, who wanted it and why, what the system that
// keeps it said, and what users were then seen to get. It is told after the deed: a worker that dies between the two leaves none.
type FlagChange struct {
	At          time.Time       `json:"at"`
	Environment string          `json:"environment"`
	Flag        string          `json:"flag"`
	Source      string          `json:"source"`            // the system that keeps it
	Service     string          `json:"service,omitempty"` // whose rollout wanted it
	Rollout     string          `json:"rollout,omitempty"`
	Seq         uint64          `json:"seq,omitempty"`
	By          string          `json:"by,omitempty"` // the person, where one did
	Why         string          `json:"why,omitempty"`
	Before      json.RawMessage `json:"before,omitempty"` // flagd's definition; of another system, one that says the same
	After       json.RawMessage `json:"after,omitempty"`
	Error       string          `json:"error,omitempty"` // why it was not written, in that system's words
	Outcome     flags.Outcome   `json:"outcome,omitempty"`
	Users       int             `json:"users,omitempty"`        // that were evaluated
	SeenShare   float64         `json:"seen_percent"`           // of them that got the new variant
	Took        float64         `json:"confirmed_ms,omitempty"` // until the outcome was certain
	Detail      string          `json:"detail,omitempty"`
}

// recorded is a change as it was written, or refused.
func (w Wish) recorded(now time.Time, c flags.Change, err error) FlagChange {
	out := FlagChange{At: now, Environment: w.Environment, Flag: w.Mover.Key, Source: w.Flags.String(), Service: w.Service, Rollout: w.Rollout, Seq: w.Seq, Why: w.Why}
	if err != nil {
		out.Error = err.Error()
	}
	if c.Before.Exists() {
		out.Before = c.Before.Bytes()
	}
	if c.After.Exists() {
		out.After = c.After.Bytes()
	}
	return out
}

// Seen is the record with what a confirmation came to.
func (c FlagChange) Seen(s flags.Confirmation, err error) FlagChange {
	c.Outcome, c.Users, c.SeenShare, c.Detail = s.Outcome, s.Users, steps.Share(s.Share).Percent(), s.Detail
	c.Took = float64(s.Took.Microseconds()) / 1000
	if err != nil {
		c.Outcome, c.Detail = flags.Unverifiable, err.Error()
	}
	return c
}

// worthTelling reports whether a try of a wish is one for the record: a write, a refusal, or the first proof of a write before it.
// A conflict is tried again.
func worthTelling(c flags.Change, err error, proven bool) bool {
	return c.Written || proven || err != nil && !errors.Is(err, flags.ErrConflict)
}
