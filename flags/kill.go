package flags

import "fmt"

// Kill gives everybody Base, whatever stands in the flag, and latches: no Ramp of the same rollout is accepted again,
// and a feature flag stays off until a Reset. An empty Base is off on a feature flag; on a version flag it is the base
// on record for the rollout, else the present default: on a first release a kill never guesses a version.
type Kill struct {
	Fence
	Base string
}

// Edit refuses with ErrStale, ErrKind, ErrBase, or ErrNotFound for the zero Flag. What somebody else wrote is
// overwritten; the flag that was given still has it.
func (k Kill) Edit(f Flag) (Flag, error) {
	if err := k.validate(); err != nil {
		return Flag{}, fmt.Errorf("kill flag %q: %w", f.key, err)
	}
	m := f.mark
	if m.Slot == k.Slot && k.compare(m.Fence) < 0 {
		return Flag{}, stale(f, k.Fence)
	}
	base, err := k.over(f)
	if err != nil {
		return Flag{}, err
	}
	was := m.Also
	if len(was) == 0 {
		was = m.Was // it was killed before
	}
	next := Mark{Fence: k.Fence, Base: base, Was: was, Killed: true, Latched: m.latch(k.Rollout), ResetBy: m.ResetBy, Reason: m.Reason}
	if m.Fence == k.Fence && m.Killed && m.Base == base && m.describes(f) && !f.disabled {
		return f, nil
	}
	return f.served(next)
}

func (Kill) insists() bool { return true }

// over is what everybody gets.
func (k Kill) over(f Flag) (string, error) {
	switch kind := f.Kind(); {
	case !f.Exists():
		return "", ErrNotFound
	case kind == Feature && (k.Base == "" || k.Base == Off):
		return Off, nil
	case kind == Feature:
		return "", fmt.Errorf("flag %q: %w: a feature flag goes off, not to %q", f.key, ErrKind, k.Base)
	case kind == Version:
		base, err := f.base(k.Rollout, k.Base)
		if err != nil {
			return "", err
		}
		return base, f.checkVersion(base)
	default:
		return "", fmt.Errorf("flag %q: %w: without variants on (true) and off (false), or versions, there is nothing to turn it to", f.key, ErrKind)
	}
}
