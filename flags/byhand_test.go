package flags_test

import (
	"errors"
	"testing"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

func TestAPersonsKillLatchesTheRolloutThatWroteLast(t *testing.T) {
	const feature = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
	const version = `{"state":"ENABLED","variants":{"1.0.0":"1.0.0","1.1.0":"1.1.0"},"defaultVariant":"1.0.0"}`
	fence := flags.Fence{Rollout: "r1", Slot: "production/checkout", Generation: 3, Seq: 2}
	for name, ramp := range map[string]struct {
		definition string
		flags.Ramp
		off string
	}{
		"feature": {feature, flags.Ramp{Fence: fence, Share: 2500}, "off"},
		"version": {version, flags.Ramp{Fence: fence, Variant: "1.1.0", Base: "1.0.0", Share: 2500}, "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ramp.Edit(flagstest.MustParse(t, ramp.definition))
			if err != nil {
				t.Fatal(err)
			}
			killed, err := flags.KillByHand{}.Edit(f)
			if err != nil {
				t.Fatal(err)
			}
			if def, _ := killed.Default(); def != ramp.off || killed.Targeting() != nil || !killed.Mark().Killed {
				t.Errorf("it serves %q by %s", def, killed.Targeting())
			}
			next := ramp.Ramp
			next.Fence, next.Share = fence.At(9), 5000
			if _, err := next.Edit(killed); !errors.Is(err, flags.ErrLatched) {
				t.Errorf("the rollout's next step: %v, want latched", err)
			}
			again, err := flags.KillByHand{}.Edit(killed)
			if err != nil || string(again.Bytes()) != string(killed.Bytes()) {
				t.Errorf("a second kill writes again: %v", err)
			}
			if _, err := (flags.Kill{Fence: fence.At(3)}).Edit(killed); err != nil {
				t.Errorf("the rollout's own kill afterwards: %v", err)
			}
		})
	}
	untouched, err := flags.KillByHand{}.Edit(flagstest.MustParse(t, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`))
	if def, _ := untouched.Default(); err != nil || def != "off" {
		t.Errorf("a flag that no rollout has written: %q, %v", def, err)
	}
	if _, err := (flags.KillByHand{}).Edit(flags.Flag{}); !errors.Is(err, flags.ErrNotFound) {
		t.Errorf("a missing flag: %v", err)
	}
}
