package deployments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

// FlagExposer moves traffic by a flag, and turns flags off. A write is confirmed by evaluating the flag on another path.
type FlagExposer struct {
	// Open is where a policy's flags are kept, and what evaluates them; nil is Serin itself. It asks nobody.
	Open func(*flags.Source) (flags.Store, flags.Confirmer, error)
	Now  func() time.Time // of the records
	// Audit keeps the record of what was done; nil: nobody does. It must not wait.
	Audit func(FlagChange)
}

// ownConfirmation bounds a confirmation of Serin's own flags; the write before it is not taken back when it runs out.
const ownConfirmation = 10 * time.Second

// Expose writes the flag and evaluates it until it serves what was written, or something else.
func (x FlagExposer) Expose(ctx context.Context, w Wish) (steps.Observed, error) {
	store, confirmer, err := x.Open(w.Flags)
	if err != nil {
		return steps.Observed{}, err
	}
	if err := w.audienceKept(); err != nil {
		return steps.Observed{}, err
	}
	key := flags.StoreKey(w.Environment, w.Mover.Key)
	change, err := flags.Apply(ctx, store, key, edit(w))
	if err != nil {
		x.record(w, change, flags.Confirmation{}, err, nil)
		return steps.Observed{}, err
	}
	waits := ownConfirmation
	if w.Flags != nil {
		waits = w.Flags.ConfirmWaits
	}
	ctx, cancel := context.WithTimeout(ctx, waits)
	defer cancel()
	seen, err := confirmer.Confirm(ctx, key, change.Want())
	x.record(w, change, seen, nil, err)
	switch {
	case err != nil:
		return steps.Observed{}, fmt.Errorf("confirm flag %s: %w", w.Mover.Key, err)
	case seen.Outcome == flags.Confirmed:
		how := fmt.Sprintf("%d users evaluated in %v", seen.Users, seen.Took.Round(10*time.Microsecond))
		return steps.Observed{Share: w.Exposure.Share, Confirmed: true, How: how}, nil
	default:
		return steps.Observed{}, fmt.Errorf("flag %s: %s: %s", w.Mover.Key, seen.Outcome, seen.Detail)
	}
}

// record keeps what was done and what was seen, where it is worth telling.
func (x FlagExposer) record(w Wish, c flags.Change, seen flags.Confirmation, refused, unseen error) {
	if x.Audit == nil || !worthTelling(c, refused, seen.Outcome == flags.Confirmed) {
		return
	}
	r := w.recorded(x.Now(), c, refused)
	if refused == nil {
		r = r.Seen(seen, unseen)
	}
	x.Audit(r)
}

// edit is the change of the flag that the wish is. The variants of a feature flag are on and off, whatever the version.
func edit(w Wish) flags.Edit {
	fence := flags.Fence{Rollout: w.Rollout, Slot: w.Slot.String(), Generation: w.Generation, Seq: w.Seq}
	variant, base := w.Exposure.Version, w.Exposure.Stable
	if w.Mover.Kind == steps.FeatureFlag {
		variant, base = "", ""
	}
	if w.Exposure.Kill {
		return flags.Kill{Fence: fence, Base: base}
	}
	return flags.Ramp{Fence: fence, Variant: variant, Base: base, Share: int(w.Exposure.Share), Also: flags.Audience(w.Exposure.Audience)}
}

// audienceKept refuses an audience where the flags are kept by a system that has its own notion of one.
func (w Wish) audienceKept() error {
	if len(w.Exposure.Audience) > 0 && !keepsAudiences(w.Flags) {
		return fmt.Errorf("flag %s: %s takes no audience: leave it out of the policy's steps", w.Mover.Key, w.Flags)
	}
	return nil
}

// keepsAudiences reports whether flags of a source can be given an audience: Serin's own, and those in a flagd document.
func keepsAudiences(s *flags.Source) bool { return s == nil || s.Kind == flags.File }

// Check finds a flag that is missing, disabled, edited by somebody else, latched, or on for everybody already, before
// anything is written. For a version flag it returns the version that serves now.
func (x FlagExposer) Check(ctx context.Context, w Wish) (string, error) {
	store, _, err := x.Open(w.Flags)
	if err != nil {
		return "", Refuse("not_ready", err)
	}
	f, _, err := store.Get(ctx, flags.StoreKey(w.Environment, w.Mover.Key))
	switch {
	case errors.Is(err, flags.ErrNotFound) && w.Flags != nil:
		return "", Refuse("not_ready", fmt.Errorf("there is no flag %s in %s: create it there, with the variants on and off", w.Mover.Key, w.Flags))
	case errors.Is(err, flags.ErrNotFound) && w.Mover.Kind == steps.VersionFlag:
		return "", Refuse("not_ready", fmt.Errorf("there is no flag %s in %s: create it with the version that serves now, for example: serin flags set %s --env %s 1.0.0",
			w.Mover.Key, w.Environment, w.Mover.Key, w.Environment))
	case errors.Is(err, flags.ErrNotFound):
		return "", Refuse("not_ready", fmt.Errorf("there is no flag %s in %s: create it, for example: serin flags set %s --env %s off",
			w.Mover.Key, w.Environment, w.Mover.Key, w.Environment))
	case err != nil:
		return "", err
	}
	if w.Target != steps.Traffic {
		return "", checkAction(f)
	}
	if w.Mover.Kind == steps.FeatureFlag {
		return "", refused(flags.CheckRamp(f, "", ""))
	}
	if err := flags.CheckRamp(f, w.Exposure.Version, w.Exposure.Stable); err != nil {
		return "", refused(err)
	}
	serves, _ := f.Default()
	return serves, nil
}

// checkAction refuses a flag that an action could not turn off.
func checkAction(f flags.Flag) error {
	_, err := flags.Kill{Fence: flags.Fence{Rollout: "check", Slot: "check"}}.Edit(f)
	return refused(err)
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return Refuse("not_ready", err)
}
