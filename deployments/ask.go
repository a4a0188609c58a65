package deployments

import (
	"maps"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// Asked answers serin.ask: what the owner of a slot knows and the journal does not.
type Asked struct {
	Worker   string               `json:"worker"`
	Slot     Slot                 `json:"slot"`
	Rev      uint64               `json:"rev"`
	State    State                `json:"state"`
	NextWake time.Time            `json:"next_wake,omitzero"` // when time alone changes the rollout
	Readings []analysis.Judgement `json:"readings"`           // oldest first, at most 120 a rule: see kept
}

const (
	// keptReadings is how many readings of a rule are kept.
	keptReadings = 120
	// keptInAll is how many readings a worker keeps of all rules: of 300 bytes each, about 75 MB. One that reads more than
	// 2083 rules keeps fewer of each.
	keptInAll = 250_000
)

// kept is how many readings of a rule are kept while so many rules are read.
func kept(rules int64) int { return int(min(keptReadings, max(1, keptInAll/max(1, rules)))) }

// recent keeps the last readings of each rule of one rollout.
type recent struct {
	rollout string
	byRule  map[string][]analysis.Judgement
	order   []string
}

// add keeps readings of a rollout, as many as the limit of each rule, and makes those in js share with them what is the
// same. Those of another rollout are forgotten. It returns by how many the rules have become more.
func (r *recent) add(rollout string, js []analysis.Judgement, limit int) (grown int) {
	if r.rollout != rollout || r.byRule == nil {
		grown = -len(r.order)
		*r = recent{rollout: rollout, byRule: map[string][]analysis.Judgement{}}
	}
	for i, j := range js {
		kept, known := r.byRule[j.Rule]
		if !known {
			grown++
			r.order = append(r.order, j.Rule)
		} else {
			j = sharing(j, kept[len(kept)-1])
			js[i] = j
		}
		r.byRule[j.Rule] = appendLast(kept, j, limit)
	}
	return grown
}

// appendLast appends, and leaves out the oldest above the limit. The array grows to the limit and no further.
func appendLast(kept []analysis.Judgement, j analysis.Judgement, limit int) []analysis.Judgement {
	if len(kept) > limit { // which has fallen
		kept = slices.Clone(kept[len(kept)-limit:])
	}
	if len(kept) == limit {
		copy(kept, kept[1:])
		kept[limit-1] = j
		return kept
	}
	if len(kept) == cap(kept) {
		kept = append(make([]analysis.Judgement, 0, min(limit, len(kept)+len(kept)/2+1)), kept...)
	}
	return append(kept, j)
}

// sharing is j with what equals the reading before it taken from there: the texts are most of a reading.
func sharing(j, before analysis.Judgement) analysis.Judgement {
	share(&j.Reason, before.Reason)
	n, o := &j.Reading, before.Reading
	share(&n.Query, o.Query)
	share(&n.BadQuery, o.BadQuery)
	share(&n.TotalQuery, o.TotalQuery)
	if maps.Equal(n.Labels, o.Labels) {
		n.Labels = o.Labels
	}
	return j
}

func share(text *string, before string) {
	if *text == before {
		*text = before
	}
}

// of are the readings of a rollout.
func (r *recent) of(rollout string) []analysis.Judgement {
	out := []analysis.Judgement{}
	if rollout != r.rollout {
		return out
	}
	for _, name := range r.order {
		out = append(out, r.byRule[name]...)
	}
	return out
}

// Ask is the state and the recent readings of a slot. It is false when this worker does not hold the slot, or nothing
// is under way there.
func (w *Worker) Ask(s Slot) (Asked, bool) {
	w.prepare()
	w.mu.Lock()
	r := w.runners[s]
	w.mu.Unlock()
	if r == nil {
		return Asked{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := Asked{Worker: w.Name, Slot: s, Rev: r.entry.Rev, State: r.entry.State, Readings: []analysis.Judgement{}}
	if rollout := r.entry.State.Rollout; rollout != nil {
		a.Readings = r.readings.of(rollout.ID)
		a.NextWake, _ = rollout.WakeAt()
	}
	return a, true
}

// Rollouts is how many rollouts this worker advances now.
func (w *Worker) Rollouts() int {
	w.prepare()
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.runners)
}
