package flags

import (
	"fmt"
	"slices"
)

// Total is the whole of a share: shares are in basis points.
const Total = 10000

// Ramp gives Share of the users with a targeting key to Variant, and everybody else to Base; Also get Variant, with a key
// or without, users of an audience. At Total everybody gets Variant, also users without a key. On a version flag a missing variant is added; on a feature flag Variant is on and
// Base is off, and both may be left empty. An empty Base on a version flag is a first release: the default that the
// flag has before the rollout's first ramp stays the base.
type Ramp struct {
	Fence
	Variant string
	Base    string
	Share   int // 0 to 10000
	Also    Audience
}

// Edit refuses with ErrLatched, ErrNeedsReset, ErrStale, ErrStranger, ErrDisabled, ErrKind, ErrServed or ErrBase.
func (r Ramp) Edit(f Flag) (Flag, error) {
	if err := r.validate(); err != nil {
		return Flag{}, fmt.Errorf("ramp flag %q: %w", f.key, err)
	}
	m := f.mark
	if slices.Contains(m.Latched, r.Rollout) {
		return Flag{}, fmt.Errorf("flag %q: %w: rollout %s was taken back and raises nothing again", f.key, ErrLatched, r.Rollout)
	}
	if m.Slot == r.Slot && r.compare(m.Fence) < 0 {
		return Flag{}, stale(f, r.Fence)
	}
	variant, base, err := f.ends(r.Rollout, r.Variant, r.Base)
	if err != nil {
		return Flag{}, err
	}
	if err := f.rampable(r.Fence, variant, base); err != nil {
		return Flag{}, err
	}
	if r.Share == Total {
		r.Also = nil // everybody is in
	}
	next := Mark{Fence: r.Fence, Variant: variant, Base: base, Share: r.Share, Also: r.Also, Latched: m.Latched, ResetBy: m.ResetBy, Reason: m.Reason}
	if m.Rollout == r.Rollout && m.Fence == r.Fence {
		if m.Variant == variant && m.Base == base && m.Share == r.Share && m.Also.equal(r.Also) {
			return f, nil // rampable has seen that the flag is as the mark says
		}
		return Flag{}, fmt.Errorf("flag %q: %w: %d of %q was written under the same seq", f.key, ErrStale, m.Share, m.Variant)
	}
	return f.served(next)
}

func (r Ramp) validate() error {
	if r.Share < 0 || r.Share > Total {
		return fmt.Errorf("share %d is outside 0 to %d", r.Share, Total)
	}
	if err := r.Also.validate(); err != nil {
		return err
	}
	return r.Fence.validate()
}

func (Ramp) insists() bool { return false }

// CheckRamp says whether a new rollout could ramp variant over base on the flag, before anything is written: the zero
// Flag, a disabled flag, one of another kind, one that somebody else edited, one that needs a reset and one that serves
// the variant to everybody already are refused, each with the cure.
func CheckRamp(f Flag, variant, base string) error {
	variant, base, err := f.ends("", variant, base)
	if err != nil {
		return err
	}
	return f.rampable(Fence{}, variant, base)
}

// ends names the variant that ramps and the base it ramps over. A version flag's empty base is the one on record for
// the rollout, else the present default.
func (f Flag) ends(rollout, variant, base string) (string, string, error) {
	switch kind := f.Kind(); {
	case !f.Exists():
		return "", "", fmt.Errorf("%w: create it with a default variant first", ErrNotFound)
	case kind == Feature:
		if (variant == "" || variant == On) && (base == "" || base == Off) {
			return On, Off, nil
		}
		return "", "", fmt.Errorf("flag %q: %w: a feature flag goes from off to on, not from %q to %q", f.key, ErrKind, base, variant)
	case kind != Version:
		return "", "", fmt.Errorf("flag %q: %w: it needs string variants that are versions, or the variants on (true) and off (false)", f.key, ErrKind)
	case variant == "":
		return "", "", fmt.Errorf("flag %q: the version to ramp is empty", f.key)
	}
	base, err := f.base(rollout, base)
	return variant, base, err
}

func (f Flag) base(rollout, base string) (string, error) {
	switch {
	case base != "":
		return base, nil
	case rollout != "" && f.mark.Rollout == rollout && f.mark.Base != "":
		return f.mark.Base, nil
	case f.hasDefault:
		return f.def, nil
	default:
		return "", fmt.Errorf("flag %q: %w: set its defaultVariant to the version that serves now", f.key, ErrBase)
	}
}

// rampable refuses a flag on which the ramp would undo a person's or another slot's decision. The zero Fence stands for
// a rollout that has not begun.
func (f Flag) rampable(by Fence, variant, base string) error {
	m := f.mark
	switch {
	case f.disabled:
		return fmt.Errorf("flag %q: %w: set its state to ENABLED", f.key, ErrDisabled)
	case m.Killed && f.Kind() == Feature:
		return fmt.Errorf("flag %q: %w: rollout %s turned it off; when it may come back: serin flags reset %s", f.key, ErrNeedsReset, m.Rollout, f.key)
	case variant == base:
		return fmt.Errorf("flag %q: %w: its default is %q; nothing is left to ramp", f.key, ErrServed, base)
	}
	find := f.untouched
	if by.Rollout == "" || by.Rollout != m.Rollout {
		find = f.free
	}
	if err := find(by, variant, base); err != nil {
		return err
	}
	return f.checkVersions(variant, base)
}

// untouched refuses a flag that is no longer as the rollout itself left it.
func (f Flag) untouched(Fence, string, string) error {
	if f.mark.describes(f) {
		return nil
	}
	return fmt.Errorf("flag %q: %w during the rollout: found %s", f.key, ErrStranger, f.found())
}

// free refuses a flag that is not at rest at the base, unless an earlier rollout of the slot left it half-way.
func (f Flag) free(by Fence, variant, base string) error {
	m := f.mark
	ours := m.describes(f)
	switch {
	case ours && by.Rollout != "" && m.Slot != by.Slot && m.Ramps():
		return fmt.Errorf("flag %q: %w: rollout %s of %s has it at %d of %d", f.key, ErrStranger, m.Rollout, m.Slot, m.Share, Total)
	case f.targeting == nil && f.hasDefault && f.def == variant:
		return fmt.Errorf("flag %q: %w: its default is %q; set it back to %q, or use another flag", f.key, ErrServed, f.def, base)
	case !f.hasDefault || f.def != base:
		return fmt.Errorf("flag %q: %w: found %s, expected the default %q; set it, or correct the stable version", f.key, ErrStranger, f.found(), base)
	case f.targeting != nil && !ours:
		return fmt.Errorf("flag %q: %w: found %s; remove the targeting, or do not ramp this flag", f.key, ErrStranger, f.found())
	default:
		return nil
	}
}

func (f Flag) checkVersions(variant, base string) error {
	if f.Kind() == Feature {
		return nil
	}
	if err := f.checkVersion(base); err != nil {
		return err
	}
	return f.checkVersion(variant)
}

func stale(f Flag, by Fence) error {
	return fmt.Errorf("flag %q: %w: generation %d, seq %d is older than generation %d, seq %d of rollout %s",
		f.key, ErrStale, by.Generation, by.Seq, f.mark.Generation, f.mark.Seq, f.mark.Rollout)
}
