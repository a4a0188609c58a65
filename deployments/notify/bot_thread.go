package notify

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
)

const (
	cardID     = "card" // in place of an event's id, of the message that is edited
	maxSent    = 500    // ids that are remembered of one thread
	maxKept    = 10     // rules whose readings are remembered
	leaseTime  = 40 * time.Second
	settleTime = 15 * time.Second // a call whose answer was lost has landed by then, or never will
	staleTime  = time.Minute      // where nobody can look, it is made again after this time
	maxReposts = 1
)

// place is where an event stands among those of its rollout.
type place struct {
	Rev  uint64 `json:"rev"`
	Rank int    `json:"rank"`
	ID   string `json:"id"`
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.Rev, o.Rev), cmp.Compare(p.Rank, o.Rank), cmp.Compare(p.ID, o.ID))
}

// thread is what is remembered of one message and the answers to it.
type thread struct {
	Channel    string               `json:"channel,omitempty"` // its id
	TS         string               `json:"ts,omitempty"`      // of the message; "": there is none yet
	Head       deployments.Event    `json:"head"`              // the newest that the message may show, without its evidence
	At         place                `json:"at"`                // of Head
	Evidence   []analysis.Judgement `json:"evidence,omitempty"`
	EvidenceAt place                `json:"evidence_at,omitzero"`
	Turned     bool                 `json:"turned,omitempty"` // the evidence is that of the decision to turn back
	Shown      place                `json:"shown,omitzero"`   // what the message shows
	Sent       []string             `json:"sent,omitempty"`   // ids of events that the thread has
	Tried      map[string]time.Time `json:"tried,omitempty"`  // by id: a call was made, and nobody knows what became of it
	Opener     string               `json:"opener,omitempty"` // the event that the message was made for
	Busy       lease                `json:"busy,omitzero"`
	Reposts    int                  `json:"reposts,omitempty"` // how often a person has deleted the message
}

// lease says which worker is talking to Slack about the thread.
type lease struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// held is for how long the lease holds others off.
func (l lease) held(at time.Time) time.Duration {
	if l.By == "" {
		return 0
	}
	return min(l.At.Add(leaseTime).Sub(at), leaseTime)
}

// heads rank the events that the message shows, within one revision: the decision goes before what it rests on.
var heads = map[string]int{
	"release.rejected": 1, "release.queued": 1, "release.accepted": 1, "traffic.requested": 1, "step.passed": 2, "step.started": 3, "traffic.confirmed": 4,
	"rule.recovered": 5, "rule.failing": 6, "analysis.inconclusive": 7, "rollout.resumed": 8, "rollout.paused": 8, "approval.granted": 8, "approval.requested": 9,
	"traffic.unconfirmed": 10, "flag.requested": 11, "rollback.requested": 12, "release.superseded": 13, "rollout.aborted": 13, "rollout.failed": 13,
	"flag.disabled": 14, "rollback.completed": 15, "flag.failed": 16, "rollback.failed": 17, "rollout.not_ready": 18, "rollout.promoted": 18, "rollout.restored": 18,
}

// turns are the decisions to turn back: what they rest on stays in the message.
var turns = map[string]bool{"rollout.failed": true, "rollout.aborted": true, "release.superseded": true}

// merge takes an event into what the message shows. It reports whether anything changed.
func (t *thread) merge(e deployments.Event) bool {
	rank, ok := heads[e.Name]
	if !ok && t.At != (place{}) || Inhibited(e) {
		return false
	}
	at, changed := place{e.Data.Rev, rank, e.ID}, false
	turn := turns[e.Name]
	if len(e.Data.Evidence) > 0 && (turn || !t.Turned) && (turn && !t.Turned || at.compare(t.EvidenceAt) > 0) {
		t.Evidence, t.EvidenceAt, t.Turned, changed = kept(e.Data.Evidence), at, turn, true
	}
	if at.compare(t.At) > 0 {
		t.Head, t.At, changed = e, at, true
		t.Head.Data.Evidence = nil
	}
	return changed
}

// kept is evidence without what a summary does not show.
func kept(all []analysis.Judgement) []analysis.Judgement {
	const mostText = 1000
	out := slices.Clone(all[:min(len(all), maxKept)])
	for i := range out {
		j := &out[i]
		r := &j.Reading
		r.Labels, j.Failing, r.BadQuery, r.TotalQuery, r.Query = nil, nil, "", "", ""
		r.Error, j.Reason, j.Rule = plain(r.Error, mostText), plain(j.Reason, mostText), plain(j.Rule, mostText)
		var kept map[string]string
		if url := j.Annotations[runbookURL]; url != "" {
			kept = map[string]string{runbookURL: url}
		}
		j.Annotations = kept
	}
	return out
}

// shows is the event that the message shows, with its evidence.
func (t *thread) shows() deployments.Event {
	e := t.Head
	if t.Turned || t.EvidenceAt.Rev == t.At.Rev {
		e.Data.Evidence = t.Evidence
	}
	return e
}

func (t *thread) sent(id string) bool { return slices.Contains(t.Sent, id) }

// done remembers that a call was carried out.
func (t *thread) done(id string) {
	delete(t.Tried, id)
	if !t.sent(id) {
		t.Sent = append(t.Sent, id)
	}
	if len(t.Sent) > maxSent {
		t.Sent = slices.Delete(t.Sent, 0, len(t.Sent)-maxSent)
	}
}

// try remembers that a call is about to be made.
func (t *thread) try(id string, at time.Time) {
	if t.Tried == nil {
		t.Tried = map[string]time.Time{}
	}
	t.Tried[id] = at
}

// lost forgets a message that a person has deleted.
func (t *thread) lost() {
	t.TS, t.Shown = "", place{}
	t.Reposts++
	delete(t.Tried, cardID)
}

// over reports that a person does not want the message.
func (t *thread) over() bool { return t.Reposts > maxReposts }

// adopt takes over what a worker has done, into what others have merged meanwhile.
func (t *thread) adopt(mine *thread) {
	t.Channel, t.TS, t.Shown, t.Sent, t.Tried, t.Busy, t.Reposts, t.Opener = mine.Channel, mine.TS, mine.Shown, mine.Sent, mine.Tried, mine.Busy, mine.Reposts, mine.Opener
}

// failed forgets a try that was not carried out for sure.
func (t *thread) failed(id string, err error) error {
	if call, ok := errors.AsType[*callError](err); !ok || !call.unknown {
		delete(t.Tried, id)
	}
	return err
}
