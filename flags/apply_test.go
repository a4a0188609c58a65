package flags_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

// raced is a store in which somebody else writes just before our writes, as often as it has definitions left.
type raced struct {
	flagstest.Memory
	t       *testing.T
	strange []string
}

func (r *raced) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	if len(r.strange) > 0 {
		if _, err := r.Memory.Update(ctx, key, flagstest.MustParse(r.t, r.strange[0]), revision); err != nil {
			r.t.Fatal(err)
		}
		r.strange = r.strange[1:]
	}
	return r.Memory.Update(ctx, key, f, revision)
}

func open(t *testing.T, definition string, strange ...string) *raced {
	s := &raced{t: t}
	if _, err := s.Update(t.Context(), flagstest.Key, flagstest.MustParse(t, definition), 0); err != nil {
		t.Fatal(err)
	}
	s.strange = strange
	return s
}

var fence = flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: 1}

const (
	touched  = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","description":"touched"}`
	strange  = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[true,"on"]}}`
	strangeB = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`
)

func TestRampReadsAgainOnceAfterAConflict(t *testing.T) {
	s := open(t, flagstest.FeatureFlag, touched)
	c, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Ramp{Fence: fence, Share: 500})
	if err != nil || !c.Written || c.Revision != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	s = open(t, flagstest.FeatureFlag, touched, flagstest.FeatureFlag)
	if _, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Ramp{Fence: fence, Share: 500}); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("after two conflicts: %v, want ErrConflict", err)
	}
}

func TestRampRefusesWhatAStrangerWroteMeanwhile(t *testing.T) {
	s := open(t, flagstest.FeatureFlag, strange)
	if _, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Ramp{Fence: fence, Share: 500}); !errors.Is(err, flags.ErrStranger) {
		t.Errorf("%v, want ErrStranger", err)
	}
}

func TestKillOverwritesEveryConflictAndKeepsWhatItFound(t *testing.T) {
	s := open(t, flagstest.FeatureFlag, touched, strangeB, touched, strange)
	c, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Kill{Fence: fence})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Before.Targeting()); got != `{"if":[true,"on"]}` {
		t.Errorf("the targeting before was %s", got)
	}
	want := flags.Want{Kind: flags.Feature, Base: "off", Revision: c.Revision}
	if d := cmp.Diff(want, c.Want()); d != "" {
		t.Error(d)
	}
	again, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Kill{Fence: fence})
	if err != nil || again.Written || again.Revision != c.Revision {
		t.Errorf("the kill once more: written %t at %d, %v", again.Written, again.Revision, err)
	}
}

func TestKillEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := always{cancel}
	if _, err := flags.Apply(ctx, s, flagstest.Key, flags.Kill{Fence: fence}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// always conflicts, and ends the context while it does.
type always struct{ cancel func() }

func (always) Get(context.Context, string) (flags.Flag, uint64, error) {
	f, err := flags.Parse("f", []byte(flagstest.FeatureFlag))
	return f, 1, err
}

func (a always) Update(context.Context, string, flags.Flag, uint64) (uint64, error) {
	a.cancel()
	return 0, flags.ErrConflict
}

func Example() {
	ctx := context.Background()
	store := &flagstest.Memory{}
	checkout, _ := flags.Parse("checkout", []byte(`{"state":"ENABLED","variants":{"v1":"v1"},"defaultVariant":"v1"}`))
	key := flags.StoreKey("production", "checkout")
	_, _ = store.Update(ctx, key, checkout, 0)

	release := flags.Fence{Rollout: "r-42", Slot: "production/shop", Generation: 7}
	edits := []flags.Edit{
		flags.Ramp{Fence: release.At(1), Variant: "v2", Base: "v1", Share: 2500},
		flags.Kill{Fence: release.At(2), Base: "v1"},
		flags.Ramp{Fence: release.At(1), Variant: "v2", Base: "v1", Share: 2500}, // redelivered
	}
	for _, e := range edits {
		change, err := flags.Apply(ctx, store, key, e)
		if err != nil {
			fmt.Println(err)
			continue
		}
		def, _ := change.After.Default()
		fmt.Printf("default %s, targeting %q\n", def, change.After.Targeting())
	}
	// Output:
	// default v1, targeting "{\"fractional\":[[\"v2\",2500],[\"v1\",7500]]}"
	// default v1, targeting ""
	// flag "checkout": the rollout was stopped on this flag: rollout r-42 was taken back and raises nothing again
}
