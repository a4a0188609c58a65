package deployments

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Summary is what stays of a rollout when its entries are purged. Times are the workers', but for Released, which is
// the server's. Summaries of earlier versions have neither Released, Step nor what follows Revs: it is unknown of them.
type Summary struct {
	Slot
	Rollout string `json:"rollout"`
	Version string `json:"version"`
	Stable  string `json:"stable_version,omitempty"`
	Release string `json:"release,omitempty"` // the release event's id
	Commit  string `json:"commit,omitempty"`
	Author  string `json:"author,omitempty"`
	RunURL  string `json:"run_url,omitempty"`
	Policy  string `json:"policy,omitempty"` // hash of the policy it ran by

	Phase   steps.Phase   `json:"phase"`
	Outcome steps.Outcome `json:"outcome,omitempty"`
	Cause   steps.Cause   `json:"cause,omitempty"`
	Reason  string        `json:"reason,omitempty"` // why it turned back
	Rules   []string      `json:"failed_rules,omitempty"`
	By      string        `json:"by,omitempty"` // the person or release that made it turn back

	Confirmed []float64      `json:"confirmed_percent,omitempty"` // the shares it reached, in percent, rising
	Audience  steps.Audience `json:"audience,omitempty"`          // that had it besides a share, or before one
	Began     time.Time      `json:"began_at"`                    // its release was accepted
	Exposed   time.Time      `json:"first_exposed_at,omitzero"`   // the first share was confirmed
	Turned    time.Time      `json:"turned_back_at,omitzero"`     // the way back was decided
	Restored  time.Time      `json:"restored_at,omitzero"`        // the failed rules were healthy again
	Ended     time.Time      `json:"ended_at,omitzero"`           // zero while it is live
	Revs      int            `json:"revs"`                        // entries it took

	Released time.Time `json:"released_at,omitzero"`     // its event was published
	Step     string    `json:"turned_back_in,omitempty"` // the step in which it turned back: a share, an audience, or both
	Traffic  []Traffic `json:"traffic,omitempty"`        // the shares it may have had, in order of time
	Fault    *Fault    `json:"fault,omitempty"`          // of a rollout that its rules took back
	Accounts *Accounts `json:"accounts,omitempty"`       // what reports need of the policy it ran by
}

// Summarize is the summary of one rollout's entries, oldest first, whether it has ended or not. It is false when no
// entry has a rollout.
func Summarize(entries []Entry) (Summary, bool) {
	var s Summary
	for _, e := range entries {
		s = s.And(e)
	}
	return s, s.Rollout != ""
}

// And is the summary with the rollout's next entry. The first one decides which rollout it is; entries of others, and
// what was written after its end, change nothing: whoever summarizes a rollout, and when, comes to the same.
func (s Summary) And(e Entry) Summary {
	r := e.State.Rollout
	if r == nil || s.Rollout != "" && r.ID != s.Rollout || s.Phase == steps.Ended {
		return s
	}
	if s.Rollout == "" {
		s.Began = e.At
	}
	s.Slot, s.Rollout, s.Version, s.Stable, s.Policy = e.Slot, r.ID, r.Version, r.Stable, e.State.Policy
	if rel := e.State.Release; rel != nil {
		s.Release, s.Commit, s.Author, s.RunURL = rel.ID, rel.Commit, rel.Author, rel.RunURL
	}
	s.Phase, s.Outcome, s.Cause, s.Exposed, s.Ended = r.Phase, r.Outcome, r.Cause, r.FirstExposed, r.EndedAt
	if f := r.Failure; f != nil {
		s.Cause, s.Reason, s.Rules, s.By, s.Turned, s.Restored = f.Cause, f.Reason, f.Rules, f.By, f.At, f.Restored
	} else if len(r.ConfirmedAudience) > len(s.Audience) {
		s.Audience = r.ConfirmedAudience
	}
	if reached := r.Confirmed.Percent(); r.Failure == nil && reached > s.reached() {
		s.Confirmed = append(slices.Clip(s.Confirmed), reached)
	}
	s.Revs++
	return s.account(e)
}

// account adds what reports are made of.
func (s Summary) account(e Entry) Summary {
	r := e.State.Rollout
	if rel := e.State.Release; rel != nil {
		s.Released = rel.Order.At
	}
	if e.State.Accounts != nil {
		s.Accounts = e.State.Accounts
	}
	if f := r.Failure; f != nil && s.Step == "" && f.FromShare.Percent()+float64(len(f.FromAudience)) > 0 {
		s.Step = steps.Shown(f.FromShare, f.FromAudience)
	}
	s.Traffic = along(s.Traffic, traffic(e))
	s.Fault = s.fault(e)
	return s
}

// reached is the highest confirmed share, in percent.
func (s Summary) reached() float64 {
	if len(s.Confirmed) == 0 {
		return 0
	}
	return s.Confirmed[len(s.Confirmed)-1]
}

// Ends reports whether a rollout ended with this entry.
func (e Entry) Ends() bool {
	r := e.State.Rollout
	return r != nil && r.Phase == steps.Ended && r.EndedAt.Equal(e.At)
}
