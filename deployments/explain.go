package deployments

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Explanation is why a rollout was decided as it was: everything its journal knows, in the order in which it happened.
type Explanation struct {
	Summary
	Figures *Account            `json:"figures,omitempty"`    // of one that has ended
	Source  string              `json:"prometheus,omitempty"` // where the queries can be asked again
	Moments []Moment            `json:"moments"`
	Actions []steps.ActionState `json:"actions,omitempty"` // what was done on the way back, and whether it was confirmed
}

// Moment is one entry of the journal in words, with what it rests on.
type Moment struct {
	Rev      uint64               `json:"rev"`
	At       time.Time            `json:"at"`
	Note     string               `json:"note"`
	Phase    steps.Phase          `json:"phase"`
	Step     int                  `json:"step"`               // from 1; of the step that was left, where one was
	Percent  float64              `json:"percent"`            // of traffic, requested then
	Audience steps.Audience       `json:"audience,omitempty"` // the same
	By       string               `json:"by,omitempty"`       // the person
	Reason   string               `json:"reason,omitempty"`   // the person's
	Decides  bool                 `json:"decides,omitempty"`
	Evidence []analysis.Judgement `json:"evidence,omitempty"` // of a decision all readings, else those of rules that did not pass; worst first
}

// Explain tells the story of one rollout's entries, oldest first.
func Explain(entries []Entry) Explanation {
	var x Explanation
	var prev steps.Rollout
	for _, e := range entries {
		r := e.State.Rollout
		if r == nil {
			continue
		}
		x.Summary = x.And(e)
		if e.State.Source != "" {
			x.Source = e.State.Source
		}
		x.Moments = append(x.Moments, moment(prev, e))
		if r.Failure != nil {
			x.Actions = r.Failure.Actions
		}
		prev = *r
	}
	if x.Phase == steps.Ended {
		figures := NewAccount(x.Summary)
		x.Figures = &figures
	}
	return x
}

func moment(was steps.Rollout, e Entry) Moment {
	r := *e.State.Rollout
	m := Moment{Rev: e.Rev, At: e.At, Note: e.Note, Phase: r.Phase, Step: r.Step + 1, Percent: r.Want.Percent(), Audience: r.Audience}
	if in, _, err := DecodeInput(e); err == nil {
		if c, ok := in.(steps.Command); ok {
			m.By, m.Reason = c.By, c.Reason
		}
	}
	left := was.ID == r.ID && r.Seq != was.Seq && was.Exposes()
	m.Decides = len(e.Evidence) > 0 && (left || r.Phase != was.Phase)
	if left && r.Phase == steps.Shifting {
		m.Step, m.Percent, m.Audience = was.Step+1, was.Want.Percent(), was.Audience
	}
	m.Evidence = worstFirst(e.Evidence)
	if !m.Decides {
		m.Evidence = slices.DeleteFunc(m.Evidence, func(j analysis.Judgement) bool { return j.Verdict == analysis.Healthy })
	}
	return m
}
