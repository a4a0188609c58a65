package flags

// KillByHand is a person's kill: everybody gets what they had before the rollout that wrote last, and that rollout raises
// nothing again. On a flag that is killed already it changes nothing.
type KillByHand struct{}

// byHand is the writer's name where no rollout has written yet.
const byHand = "by-hand"

// Edit refuses with ErrKind, ErrBase, or ErrNotFound for the zero Flag.
func (KillByHand) Edit(f Flag) (Flag, error) {
	m := f.mark
	if m.Killed && m.describes(f) && !f.disabled {
		return f, nil
	}
	fence := m.Fence
	fence.Seq++ // before whatever the rollout has written, and it is latched besides
	if fence.Rollout == "" {
		fence = Fence{Rollout: byHand, Slot: byHand, Seq: 1}
	}
	return Kill{Fence: fence}.Edit(f)
}

func (KillByHand) insists() bool { return true }
