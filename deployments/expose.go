package deployments

import (
	"context"
	"fmt"
	"slices"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

// Wish is an exposure and everything that whoever makes it true may need to know.
type Wish struct {
	Slot
	Rollout    string
	Generation uint64 // with Seq it fences: a store may refuse an older one
	Seq        uint64
	Target     steps.Target
	Mover      steps.Mover // of the target: for a flag action, that flag
	Exposure   steps.Exposure
	Why        string        // for the record
	Flags      *flags.Source // the system that keeps the policy's flags; nil: Serin itself

	rev    uint64 // of the entry that wants it: an older one says nothing about it
	policy string // hash of the rollout's policy
	try    int    // rises when a person has it tried again at once
}

// Exposer makes a wish true and reads it back. Doing it twice changes nothing. Not confirmed, and no error, means that
// somebody else will confirm: an acknowledgement, or the measured share.
type Exposer interface {
	Expose(ctx context.Context, w Wish) (steps.Observed, error)
}

// Checker is an Exposer that can tell beforehand why a wish cannot come true. Check changes nothing. It returns the
// version that now serves, where it knows it; a refusal (Refuse) is final.
type Checker interface {
	Check(ctx context.Context, w Wish) (stable string, err error)
}

// probing is the kind that metrics know a probe by.
const probing steps.MoverKind = "ready"

// wishes are what the slot wants of the world now.
func (e Entry) wishes() []Wish {
	r := e.State.Rollout
	if r == nil {
		return nil
	}
	var out []Wish
	for _, effect := range r.Pending() {
		w := Wish{Slot: e.Slot, Rollout: r.ID, Generation: e.State.Generation, Mover: r.Plan.Mover, rev: e.Rev, policy: e.State.Policy, try: r.Retries, Why: why(*r)}
		switch x := effect.(type) {
		case steps.Expose:
			w.Seq, w.Target, w.Exposure = x.Seq, x.Target, x.Exposure
			if x.Target != steps.Traffic {
				w.Mover = steps.Mover{Kind: steps.FeatureFlag, Key: string(x.Target)[len(steps.FlagTarget("")):]}
			}
		case steps.Probe:
			w.Seq, w.Target, w.Mover = x.Seq, steps.Ready, steps.Mover{Kind: probing}
			w.Exposure = steps.Exposure{Version: r.Version, Stable: r.Stable}
		default:
			continue
		}
		out = append(out, w)
	}
	return out
}

// why says why a rollout wants what it wants, for the record.
func why(r steps.Rollout) string {
	if r.Failure != nil {
		return r.Failure.Reason
	}
	return fmt.Sprintf("step %d of %d", r.Step+1, len(r.Plan.Steps))
}

// wantsTraffic reports whether the mover is asked for something that is not confirmed yet.
func (e Entry) wantsTraffic() bool {
	return slices.ContainsFunc(e.wishes(), func(w Wish) bool { return w.Target == steps.Traffic })
}

// wants reports whether the slot still wants the wish.
func (e Entry) wants(w Wish) bool {
	for _, now := range e.wishes() {
		if now.Target == w.Target && now.Seq == w.Seq && now.Rollout == w.Rollout {
			return true
		}
	}
	return false
}
