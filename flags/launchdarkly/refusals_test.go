package launchdarkly

import (
	"errors"
	"strings"
	"testing"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/launchdarkly/ldtest"
)

const (
	storeKey = "production.new-checkout"
	flagKey  = "new-checkout"
)

func fence(seq uint64) flags.Fence {
	return flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 1, Seq: seq}
}

func ramp(seq uint64, share int) flags.Ramp { return flags.Ramp{Fence: fence(seq), Share: share} }

func apply(t *testing.T, s *Store, e flags.Edit) flags.Change {
	t.Helper()
	c, err := flags.Apply(t.Context(), s, storeKey, e)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return c
}

func TestAPatchSaysWhoWritesAndWhy(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	apply(t, s, ramp(7, 550))
	apply(t, s, flags.Kill{Fence: fence(8)})
	patches := standIn.Patches()
	if len(patches) != 2 {
		t.Fatalf("%d patches, want 2", len(patches))
	}
	first, kill := patches[0], patches[1]
	if want := "Serin: rollout r-42 of production/shop, seq 7: 5.50 % of on"; first.Comment != want {
		t.Errorf("the comment is %q, want %q", first.Comment, want)
	}
	if want := "Serin: rollout r-42 of production/shop, seq 8: taken back to off"; kill.Comment != want {
		t.Errorf("the comment is %q, want %q", kill.Comment, want)
	}
	if first.Query != "" || kill.Query != "ignoreConflicts=true" {
		t.Errorf("queries %q and %q: only a kill ignores what is pending", first.Query, kill.Query)
	}
	if !strings.Contains(first.Body, `"new-checkout-variation-0":5500`) || strings.Contains(first.Body, "turnFlagOn") {
		t.Errorf("the ramp asks for %s", first.Body)
	}
}

func TestAKillOfAShareLeavesNoShareBehind(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	apply(t, s, ramp(1, 2500))
	apply(t, s, flags.Kill{Fence: fence(2)})
	f := standIn.Flag(flagKey)
	if f.On || f.Fallthrough.Rollout != nil || *f.Fallthrough.Variation != 1 {
		t.Errorf("after the kill: on %t, by default %+v", f.On, f.Fallthrough)
	}
}

func TestAKillSetsTheOffVariationWhereItIsNotTheBase(t *testing.T) {
	wrong := 0
	for name, off := range map[string]*int{"unset": nil, "another": &wrong} {
		s, standIn := open(t)
		standIn.Boolean(flagKey)
		standIn.Edit(flagKey, func(f *ldtest.Flag) { f.Off = off })
		c := apply(t, s, flags.Kill{Fence: fence(1)})
		if f := standIn.Flag(flagKey); f.On || f.Off == nil || *f.Off != 1 {
			t.Errorf("%s: on %t, off variation %v", name, f.On, f.Off)
		}
		if seen, err := s.Confirm(t.Context(), storeKey, c.Want()); err != nil || seen.Outcome != flags.Confirmed || seen.Users != usersAtRest {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
	}
}

func TestAFlagThatIsOffWithoutAnOffVariationIsDisabled(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.On, f.Off = false, nil })
	if _, err := flags.Apply(t.Context(), s, storeKey, ramp(1, 500)); !errors.Is(err, flags.ErrDisabled) {
		t.Errorf("%v, want ErrDisabled", err)
	}
}

func TestARampTurnsOnAFlagThatRestsOff(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.On = false })
	apply(t, s, ramp(1, 500))
	if f := standIn.Flag(flagKey); !f.On || f.Fallthrough.Rollout.Variations[0].Weight != 5000 {
		t.Errorf("on %t, by default %+v", f.On, f.Fallthrough.Rollout)
	}
}

func TestWhatOthersTargetEndsARampAndIsNamed(t *testing.T) {
	one := 1
	tests := map[string]struct {
		edit  func(*ldtest.Flag)
		named string
	}{
		"rules":         {func(f *ldtest.Flag) { f.Rules = []any{1, 2} }, `"rules":2`},
		"targets":       {func(f *ldtest.Flag) { f.Targets = []ldtest.Target{{Variation: 0, Values: []string{"ada"}}} }, `"targets":1`},
		"prerequisites": {func(f *ldtest.Flag) { f.Prerequisites = []any{1} }, `"prerequisites":1`},
		"while off":     {func(f *ldtest.Flag) { f.On, f.Rules = false, []any{1} }, `"rules":1`},
		"an experiment": {func(f *ldtest.Flag) {
			f.Fallthrough = ldtest.Serve{Rollout: &ldtest.Rollout{Kind: "experiment", Variations: []ldtest.Weight{{Variation: 0, Weight: 50000}, {Variation: 1, Weight: 50000}}}}
		}, `"kind":"experiment"`},
		"another attribute": {func(f *ldtest.Flag) {
			f.Fallthrough = ldtest.Serve{Rollout: &ldtest.Rollout{BucketBy: "country", Variations: []ldtest.Weight{{Variation: 0, Weight: 0}, {Variation: 1, Weight: 100000}}}}
		}, `"bucketBy":"country"`},
		"a percentage": {func(f *ldtest.Flag) {
			f.Fallthrough = ldtest.Serve{Rollout: &ldtest.Rollout{Variations: []ldtest.Weight{{Variation: 0, Weight: 12345}, {Variation: 1, Weight: 87655}}}}
		}, `["on",12345]`},
		"on for all": {func(f *ldtest.Flag) { f.Fallthrough = ldtest.Serve{Variation: new(int)} }, "default"},
		"off is on":  {func(f *ldtest.Flag) { f.On, f.Off = false, new(int) }, "default"},
		"at rest":    {func(f *ldtest.Flag) { f.Fallthrough = ldtest.Serve{Variation: &one} }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, standIn := open(t)
			standIn.Boolean(flagKey)
			standIn.Edit(flagKey, test.edit)
			_, err := flags.Apply(t.Context(), s, storeKey, ramp(1, 500))
			refused := errors.Is(err, flags.ErrStranger) || errors.Is(err, flags.ErrServed)
			if refused != (test.named != "") || err != nil && !strings.Contains(err.Error(), test.named) {
				t.Errorf("%v, want it to name %s", err, test.named)
			}
			c := apply(t, s, flags.Kill{Fence: fence(2)})
			if seen, err := s.Confirm(t.Context(), storeKey, c.Want()); err != nil || seen.Outcome != flags.Confirmed {
				t.Errorf("after a kill: %+v, %v", seen, err)
			}
		})
	}
}

func TestRulesThatAKillLeftAreFoundBeforeTheNextRollout(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.Rules = []any{1} })
	first := apply(t, s, flags.Kill{Fence: fence(1)})
	if again := apply(t, s, flags.Kill{Fence: fence(1)}); again.Revision != first.Revision || len(standIn.Patches()) != 1 {
		t.Errorf("the same kill is written twice: %d patches", len(standIn.Patches()))
	}
	if c := apply(t, s, flags.Reset{By: "ada", Reason: "found"}); c.Revision <= first.Revision {
		t.Errorf("revision %d after %d, though the notes changed", c.Revision, first.Revision)
	}
	f, _, err := s.Get(t.Context(), storeKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := flags.CheckRamp(f, "", ""); !errors.Is(err, flags.ErrStranger) {
		t.Errorf("%v, want ErrStranger", err)
	}
}

func TestAnImageWithoutWhatOthersTargetIsNotWritten(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	f, _, err := s.Get(t.Context(), storeKey)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = ramp(1, 500).Edit(f); err != nil {
		t.Fatal(err)
	}
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.Rules = []any{1} })
	_, revision, err := s.Get(t.Context(), storeKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), storeKey, f, revision); !errors.Is(err, flags.ErrStranger) || len(standIn.Patches()) > 0 {
		t.Errorf("%v, want ErrStranger", err)
	}
}

func TestSomebodyWhoWritesDuringOurWriteEndsARamp(t *testing.T) {
	tests := map[string]struct {
		edit func(*ldtest.Flag)
		want error
	}{
		"over what we write":       {func(f *ldtest.Flag) { f.Fallthrough = ldtest.Serve{Variation: new(int)} }, flags.ErrStranger},
		"beside it":                {func(f *ldtest.Flag) { f.Rules = []any{1} }, flags.ErrStranger},
		"by turning the flag off":  {func(f *ldtest.Flag) { f.On = false }, flags.ErrStranger},
		"by taking our notes away": {func(f *ldtest.Flag) { f.Properties = map[string][]string{"serin.production": {"?"}} }, flags.ErrStranger},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, standIn := open(t)
			standIn.Boolean(flagKey)
			apply(t, s, ramp(1, 500))
			standIn.BeforeWrite(func() { standIn.Edit(flagKey, test.edit) })
			if _, err := flags.Apply(t.Context(), s, storeKey, ramp(2, 2500)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			standIn.BeforeWrite(func() { standIn.Edit(flagKey, test.edit) })
			apply(t, s, flags.Kill{Fence: fence(3)})
			if f := standIn.Flag(flagKey); f.On {
				t.Error("the kill did not get through")
			}
		})
	}
}

func TestAFlagIsNotCreated(t *testing.T) {
	s, standIn := open(t)
	f, err := flags.Parse(flagKey, []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), storeKey, f, 0); !errors.Is(err, flags.ErrNotFound) || !strings.Contains(err.Error(), "create it there") {
		t.Errorf("%v", err)
	}
	if _, err := s.Update(t.Context(), storeKey, f, 7); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("%v", err)
	}
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.Archived = true })
	if _, _, err := s.Get(t.Context(), storeKey); !errors.Is(err, flags.ErrNotFound) || !strings.Contains(err.Error(), "archived") {
		t.Errorf("%v", err)
	}
}
