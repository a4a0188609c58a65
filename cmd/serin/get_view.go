package main

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// looked is what was heard of a slot.
type looked struct {
	Slot     deployments.Slot
	Rev      uint64
	State    deployments.State
	Worker   string // that answered
	Readings []analysis.Judgement
	Entries  []deployments.Entry // the newest of the rollout, oldest first
	Silent   time.Time           // since when no worker answers
	Heard    time.Time           // when something was heard last
}

// view is what `serin get` shows of a slot, and prints as JSON. Its texts are as they came: who shows them cleans them.
type view struct {
	At          time.Time `json:"at"`
	Service     string    `json:"service"`
	Environment string    `json:"environment"`
	Version     string    `json:"version,omitempty"` // "": nothing was released yet
	Stable      string    `json:"stable_version,omitempty"`
	Rollout     string    `json:"rollout,omitempty"`
	Rev         uint64    `json:"rev"`
	Author      string    `json:"author,omitempty"`
	RunURL      string    `json:"run_url,omitempty"`

	Phase       steps.Phase   `json:"phase,omitempty"`
	Since       time.Time     `json:"since,omitzero"` // when the phase began
	Paused      bool          `json:"paused,omitempty"`
	Unconfirmed bool          `json:"unconfirmed,omitempty"`
	Outcome     steps.Outcome `json:"outcome,omitempty"`
	Cause       steps.Cause   `json:"cause,omitempty"`
	Sentence    string        `json:"sentence"` // where it is and what comes next, in plain words

	Percent           float64        `json:"percent"`           // of traffic, requested
	Confirmed         float64        `json:"confirmed_percent"` // the last confirmed share
	Audience          steps.Audience `json:"audience,omitempty"`
	ConfirmedAudience steps.Audience `json:"confirmed_audience,omitempty"`

	Steps     []stepView     `json:"steps"`
	Rules     []ruleView     `json:"rules"`
	Hold      *steps.Hold    `json:"hold,omitempty"`
	Waits     *waitView      `json:"waits,omitempty"` // for a window, or for the end of a freeze
	Failure   *failureView   `json:"failure,omitempty"`
	Trouble   string         `json:"trouble,omitempty"` // what keeps an exposure or an action from being confirmed
	Queue     []queuedView   `json:"queue,omitempty"`
	Decisions []decisionView `json:"decisions"` // the last ones, oldest first

	Worker string    `json:"worker,omitempty"`         // that answered
	Silent time.Time `json:"no_answer_since,omitzero"` // from a worker
	Heard  time.Time `json:"last_answer_at,omitzero"`  // while no worker answers: how old this is
}

type waitView struct {
	Why   string    `json:"why"`
	Until time.Time `json:"until,omitzero"`
}

type failureView struct {
	steps.FailureState
	Text string `json:"text"` // from where it was taken back, when, and by whom
}

type queuedView struct {
	Version string    `json:"version"`
	Author  string    `json:"author,omitempty"`
	At      time.Time `json:"at"`
}

type decisionView struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	By   string    `json:"by,omitempty"`
}

// shownDecisions is how many of the last decisions are shown.
const shownDecisions = 5

// newView is what there is to see of a slot at an instant. Its times have the zone of that instant.
func newView(now time.Time, l looked) view {
	v := view{At: now, Service: l.Slot.Service, Environment: l.Slot.Environment, Rev: l.Rev, Stable: l.State.Stable, Worker: l.Worker,
		Steps: []stepView{}, Rules: []ruleView{}, Decisions: []decisionView{}}
	if !l.Silent.IsZero() {
		v.Silent, v.Heard = l.Silent.In(now.Location()), l.Heard.In(now.Location())
	}
	for _, q := range l.State.Queue {
		v.Queue = append(v.Queue, queuedView{q.Release.Version, q.Release.Author, q.At.In(now.Location())})
	}
	r := l.State.Rollout
	if r == nil {
		v.Sentence = "Nothing was released here yet."
		return v
	}
	v.Version, v.Stable, v.Rollout = r.Version, r.Stable, r.ID
	if rel := l.State.Release; rel != nil {
		v.Author, v.RunURL = rel.Author, rel.RunURL
	}
	v.Phase, v.Since, v.Paused, v.Unconfirmed, v.Outcome, v.Cause = r.Phase, r.Since.In(now.Location()), r.Paused, r.Unconfirmed, r.Outcome, r.Cause
	v.Percent, v.Confirmed, v.Audience, v.ConfirmedAudience = r.Want.Percent(), r.Confirmed.Percent(), r.Audience, r.ConfirmedAudience
	v.Hold, v.Trouble = r.Hold, r.LastError
	v.Waits, v.Failure = waits(now, *r), wayBack(now, *r)
	v.Rules = ruleViews(now, *r, l.readings())
	v.Steps = stepViews(now, *r)
	v.Decisions = decisions(now, l.Entries)
	v.Sentence = sentence(now, *r, v.Rules)
	return v
}

// waits is why no step may begin now, where one would otherwise.
func waits(now time.Time, r steps.Rollout) *waitView {
	ok, why, again := r.Plan.MayAdvance(now)
	due := r.Phase == steps.Pending || r.Phase == steps.Baking && left(now, r) == 0
	if ok || !due || r.Failure != nil {
		return nil
	}
	w := &waitView{Why: why}
	if !again.IsZero() {
		w.Until = again.In(now.Location())
	}
	return w
}

// readings are those of the rollout that are known: of its entries, and what the worker remembers; oldest first.
func (l looked) readings() []analysis.Judgement {
	var all []analysis.Judgement
	for _, e := range l.Entries {
		all = append(all, e.Evidence...)
	}
	all = append(all, l.Readings...)
	slices.SortStableFunc(all, func(a, b analysis.Judgement) int { return a.Reading.At.Compare(b.Reading.At) })
	return all
}

// decisions are the last entries in words.
func decisions(now time.Time, entries []deployments.Entry) []decisionView {
	moments := deployments.Explain(entries).Moments
	out := []decisionView{}
	for _, m := range moments[max(0, len(moments)-shownDecisions):] {
		text := m.Note
		if m.Reason != "" {
			text += ": " + m.Reason
		}
		out = append(out, decisionView{At: m.At.In(now.Location()), Text: text, By: m.By})
	}
	return out
}

// wayBack is the way back in words.
func wayBack(now time.Time, r steps.Rollout) *failureView {
	if r.Failure == nil {
		return nil
	}
	f := failureView{FailureState: *r.Failure}
	f.At = f.At.In(now.Location())
	f.Text = "at " + clock(now, f.At)
	if r.Phase != steps.Pending && (f.FromShare > 0 || len(f.FromAudience) > 0) {
		f.Text += ", from " + steps.Shown(f.FromShare, f.FromAudience)
	}
	f.Text += ", " + causes[f.Cause]
	if f.By != "" {
		f.Text += " " + f.By
	}
	return &f
}

// causes are the causes in words; behind some stands by whom.
var causes = map[steps.Cause]string{
	steps.ByRules: "because of its rules", steps.ByLostData: "because its data was lost", steps.ByHoldTimeout: "because it held for too long",
	steps.ByPerson: "by order", steps.BySuperseded: "for a newer release", steps.NotReady: "because it was never ready",
}
