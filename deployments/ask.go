package deployments

import (
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
	Readings []analysis.Judgement `json:"readings"`           // oldest first, at most 120 a rule
}

// keptReadings is how many readings of a rule are kept.
const keptReadings = 120

// recent keeps the last readings of each rule.
type recent struct {
	byRule map[string][]analysis.Judgement
	order  []string
}

func (r *recent) add(js []analysis.Judgement) {
	if r.byRule == nil {
		r.byRule = map[string][]analysis.Judgement{}
	}
	for _, j := range js {
		kept, known := r.byRule[j.Rule]
		if !known {
			r.order = append(r.order, j.Rule)
		}
		if len(kept) == keptReadings {
			kept = append(kept[:0:0], kept[1:]...)
		}
		r.byRule[j.Rule] = append(kept, j)
	}
}

func (r *recent) all() []analysis.Judgement {
	out := []analysis.Judgement{}
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
	a := Asked{Worker: w.Name, Slot: s, Rev: r.entry.Rev, State: r.entry.State, Readings: r.readings.all()}
	if rollout := r.entry.State.Rollout; rollout != nil {
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
