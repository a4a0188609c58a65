package openfeature_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/openfeature"
)

var fence = flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1}

func confirm(t testing.TB, c flags.Confirmer, want flags.Want) flags.Confirmation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, err := c.Confirm(ctx, key, want)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// soon is a confirmation that is not to come: it ends at once, after one look.
func soon(t testing.TB, c flags.Confirmer, want flags.Want) flags.Confirmation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	seen, err := c.Confirm(ctx, key, want)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestRampAndKillAreConfirmedByEvaluation(t *testing.T) {
	for _, tt := range []struct{ name, start, variant, base string }{
		{"version flag", flagstest.VersionFlag, "v2", "v1"},
		{"feature flag", flagstest.FeatureFlag, "on", "off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t)
			b.put(key, tt.start)
			c := b.confirmer()
			for i, share := range []int{1, 50, 500, 2500, 5000, 9999, 10000} {
				change := b.edit(key, flags.Ramp{Fence: fence.At(uint64(i + 1)), Variant: tt.variant, Base: tt.base, Share: share})
				seen := confirm(t, c, change.Want())
				if d := seen.Share - share; seen.Outcome != flags.Confirmed || d < -300 || d > 300 {
					t.Errorf("at %d: %+v", share, seen)
				}
			}
			change := b.edit(key, flags.Kill{Fence: fence.At(99), Base: tt.base})
			if seen := confirm(t, c, change.Want()); seen.Outcome != flags.Confirmed || seen.Share != 0 || seen.Users != 65 {
				t.Errorf("killed: %+v", seen)
			}
			again := b.edit(key, flags.Kill{Fence: fence.At(99), Base: tt.base})
			if seen := confirm(t, c, again.Want()); again.Written || seen.Outcome != flags.Confirmed {
				t.Errorf("killed once more: written %t, %+v", again.Written, seen)
			}
		})
	}
}

func TestConfirmationWaitsForTheChangeItself(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.FeatureFlag)
	c := b.confirmer()
	var wg sync.WaitGroup
	var seen flags.Confirmation
	wg.Go(func() {
		seen = confirm(t, c, flags.Want{Kind: flags.Feature, Variant: "on", Base: "off", Share: 2500, Revision: 2})
	})
	b.edit(key, flags.Ramp{Fence: fence.At(1), Share: 2500})
	wg.Wait()
	if seen.Outcome != flags.Confirmed {
		t.Errorf("%+v", seen)
	}
}

func TestWhatLooksOffButIsNotProvenOffIsNotConfirmed(t *testing.T) {
	off := flags.Want{Kind: flags.Feature, Base: "off"}
	for _, tt := range []struct {
		name, definition string
		after            uint64 // the revision wanted lies that far ahead
		want             flags.Outcome
		says             string
	}{
		{"missing", "", 0, flags.Unverifiable, "FLAG_NOT_FOUND"},
		{"disabled", `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`, 0, flags.Mismatch, "DISABLED"},
		{"no default", `{"state":"ENABLED","variants":{"on":true,"off":false}}`, 0, flags.Mismatch, "DEFAULT"},
		{"garbage", `garbage`, 0, flags.Mismatch, "PARSE_ERROR"},
		{"another type", `{"state":"ENABLED","variants":{"off":"off"},"defaultVariant":"off"}`, 0, flags.Mismatch, "TYPE_MISMATCH"},
		{"a variant off that is true", `{"state":"ENABLED","variants":{"on":true,"off":true},"defaultVariant":"off"}`, 0, flags.Mismatch, "off"},
		{"another variant that is false", `{"state":"ENABLED","variants":{"on":true,"off":false,"no":false},"defaultVariant":"no"}`, 0, flags.Mismatch, `"no"`},
		{"still ramping", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"fractional":[["on",1000],["off",9000]]}}`, 0, flags.Mismatch, `"on"`},
		{"an older revision", flagstest.FeatureFlag, 1, flags.Unverifiable, "revision 1 is served, 2 was written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t)
			want := off
			want.Revision = tt.after
			if tt.definition != "" {
				want.Revision += b.put(key, tt.definition)
			}
			seen := soon(t, b.confirmer(), want)
			if seen.Outcome != tt.want || !strings.Contains(seen.Detail, tt.says) {
				t.Errorf("%+v, want %s saying %s", seen, tt.want, tt.says)
			}
		})
	}
}

func TestShareThatIsNotTheWantedOneIsAMismatch(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.VersionFlag)
	c := b.confirmer()
	change := b.edit(key, flags.Ramp{Fence: fence.At(1), Variant: "v2", Base: "v1", Share: 2500})
	want := change.Want()
	want.Share = 2600
	if seen := confirm(t, c, want); seen.Outcome != flags.Mismatch || seen.Share < 2200 || seen.Share > 2800 {
		t.Errorf("%+v", seen)
	}
}

func TestRedeliveredRampAfterAKillChangesNothing(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.FeatureFlag)
	c := b.confirmer()
	ramp := flags.Ramp{Fence: fence.At(1), Share: 5000}
	b.edit(key, ramp)
	kill := b.edit(key, flags.Kill{Fence: fence.At(2)})
	if _, err := flags.Apply(t.Context(), b.store, key, ramp); !errors.Is(err, flags.ErrLatched) {
		t.Errorf("%v, want ErrLatched", err)
	}
	if seen := confirm(t, c, kill.Want()); seen.Outcome != flags.Confirmed {
		t.Errorf("%+v", seen)
	}
}

func TestKillWinsOverAWriterAtTheSameTime(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.FeatureFlag)
	c := b.confirmer()
	other := b.connect()
	kv, err := other.KeyValue(t.Context(), openfeature.DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	store := b.store
	store.kv = kv
	var wg sync.WaitGroup
	wg.Go(func() {
		for seq := uint64(1); seq < 100; seq++ {
			_, err := flags.Apply(t.Context(), store, key, flags.Ramp{Fence: fence.At(seq), Share: int(seq) * 100})
			if errors.Is(err, flags.ErrLatched) {
				return
			}
		}
	})
	kill := b.edit(key, flags.Kill{Fence: fence.At(100)})
	wg.Wait()
	if seen := confirm(t, c, kill.Want()); seen.Outcome != flags.Confirmed {
		t.Errorf("%+v", seen)
	}
}

func TestConfirmationNeedsNATS(t *testing.T) {
	b := start(t)
	b.put(key, flagstest.FeatureFlag)
	kill := b.edit(key, flags.Kill{Fence: fence.At(1)})
	js := b.connect()
	c, err := openfeature.OpenConfirmer(t.Context(), js, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	stale := newApp(t).use(&openfeature.Provider{JetStream: js, Environment: "production"})
	b.down()
	stale.await(of.ProviderStale)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for seen := (flags.Confirmation{}); seen.Outcome != flags.Unverifiable; {
		if seen, err = c.Confirm(ctx, key, kill.Want()); err != nil || t.Context().Err() != nil {
			t.Fatal(seen, err)
		}
	}
	b.up()
	if seen := confirm(t, c, kill.Want()); seen.Outcome != flags.Confirmed {
		t.Errorf("with NATS back: %+v", seen)
	}
}

func TestQuestionsThatMakeNoSenseAreErrors(t *testing.T) {
	c := start(t).confirmer()
	for name, want := range map[string]flags.Want{
		"no kind":         {Base: "off"},
		"no base":         {Kind: flags.Feature},
		"ramp of nothing": {Kind: flags.Version, Base: "v1", Share: 1},
		"share above all": {Kind: flags.Feature, Variant: "on", Base: "off", Share: 10001},
	} {
		if _, err := c.Confirm(t.Context(), key, want); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestConfirmerWithoutItsBucketIsAnError(t *testing.T) {
	if _, err := openfeature.OpenConfirmer(t.Context(), start(t).js, "no_such_bucket"); err == nil {
		t.Error("no error")
	}
}

func BenchmarkKillToConfirmed(b *testing.B) {
	s := start(b)
	c := s.confirmer()
	s.put(key, flagstest.VersionFlag)
	var seq uint64
	for b.Loop() {
		seq++
		change := s.edit(key, flags.Kill{Fence: fence.At(seq), Base: "v1"})
		if seen := confirm(b, c, change.Want()); seen.Outcome != flags.Confirmed {
			b.Fatalf("%+v", seen)
		}
	}
}
