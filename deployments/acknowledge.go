package deployments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/serin-cd/serin/steps"
)

// Ack says that the deployer has done what was asked of it: rollout, seq and share must be those of the request.
type Ack struct {
	Rollout string   `json:"rollout"`
	Seq     uint64   `json:"seq"`
	Percent *float64 `json:"percent"` // of traffic that the new version has now
	By      string   `json:"by,omitempty"`
}

// Acknowledge takes an acknowledgement. Any worker may. What does not answer the slot's present request is refused with
// what is waited for; an acknowledgement that came before is fine.
func (w *Worker) Acknowledge(ctx context.Context, s Slot, a Ack) (Entry, error) {
	w.prepare()
	last, err := w.Journal.Last(ctx, s)
	if err != nil {
		return Entry{}, fmt.Errorf("load %s: %w", s, err)
	}
	if err := a.refusal(last); err != nil {
		return last, err
	}
	r, share := last.State.Rollout, steps.Share(math.Round(*a.Percent*100))
	if r.Want == share && !last.wantsTraffic() {
		return last, nil
	}
	in := steps.Applied{Rollout: a.Rollout, Seq: a.Seq, Target: steps.Traffic, Observed: share, Confirmed: true, How: "acknowledged"}
	if a.By != "" {
		in.How += " by " + a.By
	}
	e, changed, err := w.Handle(ctx, s, in)
	if err == nil && (!changed || share != r.Want) {
		return e, Refuse("mismatch", fmt.Errorf("%s asks for %v, the acknowledgement says %v", r.ID, r.Want, share))
	}
	return e, err
}

// refusal says why an acknowledgement does not answer what the slot asks for.
func (a Ack) refusal(last Entry) error {
	r := last.State.Rollout
	switch {
	case a.Percent == nil || math.IsNaN(*a.Percent) || *a.Percent < 0 || *a.Percent > 100:
		return Refuse("invalid", errors.New("the acknowledgement needs percent, 0 to 100"))
	case r == nil || r.ID != a.Rollout:
		return Refuse("unknown_rollout", fmt.Errorf("%s has no rollout %q under way", last.Slot, a.Rollout))
	case !acknowledgeable(r.Plan.Mover):
		return Refuse("not_asked", fmt.Errorf("the %s of %s is confirmed by reading it, not by acknowledgement", r.Plan.Mover.Kind, last.Slot))
	case a.Seq != r.Seq:
		return Refuse("stale", fmt.Errorf("seq %d is over: %s asks for %v under seq %d", a.Seq, r.ID, r.Want, r.Seq))
	}
	return nil
}

// acknowledgeable reports whether somebody else's word confirms the mover: nothing else reads its share back.
func acknowledgeable(m steps.Mover) bool {
	return m.Kind == steps.EventMover || m.Kind == steps.ExecMover && len(m.Read) == 0
}

// Order obeys a person. Any worker may. An order that means nothing now is refused with where the rollout is.
func (w *Worker) Order(ctx context.Context, s Slot, c steps.Command) (Entry, error) {
	if !slices.Contains(verbs, c.Verb) {
		return Entry{}, Refuse("invalid", fmt.Errorf("%q is no order: known are %v", c.Verb, verbs))
	}
	e, changed, err := w.Handle(ctx, s, c)
	switch {
	case err != nil || changed:
		return e, err
	case e.State.Rollout == nil:
		return e, Refuse("unknown_rollout", fmt.Errorf("%s has no rollout", s))
	case c.Rollout != "" && c.Rollout != e.State.Rollout.ID:
		return e, Refuse("unknown_rollout", fmt.Errorf("%s means rollout %s, and %s is the last of %s", c.Verb, c.Rollout, e.State.Rollout.ID, s))
	}
	return e, Refuse("meaningless", fmt.Errorf("%s means nothing now: %s is %s", c.Verb, e.State.Rollout.ID, e.State.Rollout.Phase))
}

var verbs = []steps.Verb{steps.Approve, steps.Promote, steps.Pause, steps.Resume, steps.Abort, steps.Retry}
