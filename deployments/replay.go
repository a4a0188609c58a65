package deployments

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/serin-cd/serin/steps"
)

// Proof is what replaying an entry has shown.
type Proof string

// The proofs.
const (
	Follows    Proof = "follows"     // the recorded state follows from the entry before it and from the recorded input
	Differs    Proof = "differs"     // it does not
	OtherLogic Proof = "other_logic" // it was decided by other rules than this program's, and is not judged
	Unproven   Proof = "unproven"    // the entry before it is not there, or no decision is recorded
)

// Replayed is one entry decided again.
type Replayed struct {
	Rev   uint64 `json:"rev"`
	Note  string `json:"note"`
	Proof Proof  `json:"proof"`
	Why   string `json:"why,omitempty"` // what differs, or why it is unproven
}

// Replay decides the entries of a slot again, in order, each from the one before it and its recorded input and evidence.
// prev is the entry before the first, the zero Entry where there is none. Entries without a rollout, and releases that began none, decide nothing and are left out.
func Replay(prev Entry, entries []Entry) []Replayed {
	var out []Replayed
	for _, e := range entries {
		if r, ok := replay(prev, e); ok {
			out = append(out, r)
		}
		prev = e
	}
	return out
}

func replay(prev, e Entry) (Replayed, bool) {
	r := Replayed{Rev: e.Rev, Note: e.Note, Proof: Unproven}
	if e.State.Rollout == nil {
		return r, false
	}
	if _, ok := e.released(); ok {
		return r.begun(prev, e)
	}
	in, decided, err := steps.Input(nil), true, error(nil)
	if len(e.Input) > 0 {
		in, decided, err = DecodeInput(e)
	}
	switch {
	case len(e.Input) == 0:
		r.Why = "it was carried over from another server"
	case err != nil:
		r.Why = err.Error()
	case !decided:
		return r, false
	case e.Logic != Logic:
		r.Proof, r.Why = OtherLogic, fmt.Sprintf("logic %q, this program's is %q", e.Logic, Logic)
	case prev.Rev+1 != e.Rev || prev.State.Rollout == nil:
		r.Why = "the entry before it is not there"
	default:
		next, _ := prev.State.Rollout.Next(e.At, in)
		return r.compare(*e.State.Rollout, next), true
	}
	return r, true
}

// begun proves the beginning of a rollout: it has no state yet but its plan's. A release that waits turns the rollout
// before it back.
func (r Replayed) begun(prev, e Entry) (Replayed, bool) {
	was, is := prev.State.Rollout, *e.State.Rollout
	if was != nil && was.ID == is.ID {
		in, _ := e.released()
		if in.Answer != Supersedes && in.Answer != Waits {
			return r, false
		}
		next, _ := was.Next(e.At, steps.Superseded{By: in.Release.Version})
		return r.compare(is, next), true
	}
	first, err := steps.NewRollout(is.ID, is.Environment, is.Service, is.Version, is.Stable, is.Plan, e.At)
	if err != nil {
		r.Proof, r.Why = Differs, err.Error()
		return r, true
	}
	return r.compare(is, first), true
}

// compare says which fields of the recorded state do not follow.
func (r Replayed) compare(recorded, decided steps.Rollout) Replayed {
	a, b := fieldsOf(recorded), fieldsOf(decided)
	for _, name := range slices.Sorted(maps.Keys(merged(a, b))) {
		if string(a[name]) != string(b[name]) {
			r.Proof, r.Why = Differs, fmt.Sprintf("%s is recorded as %s, and follows as %s", name, orNothing(a[name]), orNothing(b[name]))
			return r
		}
	}
	r.Proof = Follows
	return r
}

func fieldsOf(r steps.Rollout) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err) // a rollout is plain data
	}
	return out
}

func merged(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func orNothing(v json.RawMessage) string {
	if v == nil {
		return "nothing"
	}
	return string(v)
}
