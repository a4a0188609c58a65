package flagstest

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
)

// Vendor is a store that shows another system's flags as images in flagd's terms: it keeps of a definition what that
// system has a place for, and it may create no flag.
type Vendor struct {
	Store     flags.Store
	Confirmer flags.Confirmer // nil: it is not tried

	// Create makes the suite's flag at rest, in the system's own way: a feature flag that is off for all, or a version
	// flag at v1.
	Create func(t testing.TB, kind flags.Kind)

	// OnOff is a system without version flags, and with shares in whole percents.
	OnOff bool

	// Patience is how long a confirmation may take; 0 is 30 s. A system that tells no revision is known to serve
	// something else only then.
	Patience time.Duration

	// Touch is a change of what the flag serves, as a person makes it in the system. Nil: it is not tried.
	Touch func(t testing.TB)
}

// RunVendor tests a store that shows images. Each call of open gives one without the suite's flag.
func RunVendor(t *testing.T, open func(t *testing.T) Vendor) {
	cases := map[string]func(*testing.T, Vendor){
		"a missing flag is ErrNotFound":                      vendorMissing,
		"a flag at rest may be ramped":                       vendorAtRest,
		"what was written is read back":                      vendorReadsBack,
		"the same write again writes nothing":                vendorRepeats,
		"only the last revision may be written over":         vendorComparesAndSets,
		"a context that has ended is an error":               vendorEndedContext,
		"a stranger's change ends a ramp and not a kill":     vendorStranger,
		"a kill gets through while others keep writing":      vendorKillsThrough,
		"a redelivered ramp after a kill stays refused":      vendorLatches,
		"a feature flag comes back after a person's reset":   vendorResets,
		"the next version ramps where the last was promoted": vendorPromotes,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func vendorMissing(t *testing.T, v Vendor) {
	if _, _, err := v.Store.Get(t.Context(), Key); !errors.Is(err, flags.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if _, err := flags.Apply(t.Context(), v.Store, Key, flags.Kill{Fence: fence(1)}); !errors.Is(err, flags.ErrNotFound) {
		t.Errorf("kill: %v, want ErrNotFound", err)
	}
}

func vendorAtRest(t *testing.T, v Vendor) {
	v.Create(t, flags.Feature)
	f, revision, err := v.Store.Get(t.Context(), Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, key := flags.SplitKey(Key); f.Key() != key || f.Kind() != flags.Feature || revision == 0 {
		t.Errorf("key %q, kind %q, revision %d", f.Key(), f.Kind(), revision)
	}
	if err := flags.CheckRamp(f, "", ""); err != nil {
		t.Error(err)
	}
	if m := f.Mark(); m.Rollout != "" {
		t.Errorf("a flag that Serin never wrote has the mark %+v", m)
	}
}

func vendorReadsBack(t *testing.T, v Vendor) {
	v.Create(t, v.kind())
	last := uint64(0)
	edits := []flags.Edit{v.ramp(1, 500), v.ramp(2, 3333), v.ramp(3, flags.Total), v.ramp(4, 0), flags.Kill{Fence: fence(5), Base: v.base()}}
	for _, e := range edits {
		c := apply(t, v, e)
		f, revision, err := v.Store.Get(t.Context(), Key)
		if err != nil {
			t.Fatal(err)
		}
		same(t, f, c.After)
		if revision != c.Revision || revision <= last {
			t.Errorf("%+v: read at revision %d, written as %d, before %d", e, revision, c.Revision, last)
		}
		last = revision
		v.confirms(t, c)
	}
}

func vendorRepeats(t *testing.T, v Vendor) {
	v.Create(t, flags.Feature)
	for _, e := range []flags.Edit{flags.Ramp{Fence: fence(1), Share: 500}, flags.Kill{Fence: fence(2)}} {
		first := apply(t, v, e)
		again := apply(t, v, e)
		if again.Written || again.Revision != first.Revision {
			t.Errorf("%+v again: written %t, revision %d after %d", e, again.Written, again.Revision, first.Revision)
		}
	}
}

func vendorComparesAndSets(t *testing.T, v Vendor) {
	v.Create(t, flags.Feature)
	f, revision, err := v.Store.Get(t.Context(), Key)
	if err != nil {
		t.Fatal(err)
	}
	next, err := flags.Ramp{Fence: fence(2), Share: 2500}.Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, v, flags.Ramp{Fence: fence(1), Share: 500})
	if _, err := v.Store.Update(t.Context(), Key, next, revision); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update at the revision before: %v, want ErrConflict", err)
	}
	if f, _, err := v.Store.Get(t.Context(), Key); err != nil || f.Mark().Share != 500 {
		t.Errorf("after a refused write: %+v, %v", f.Mark(), err)
	}
}

func vendorEndedContext(t *testing.T, v Vendor) {
	v.Create(t, flags.Feature)
	f, revision, err := v.Store.Get(t.Context(), Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := v.Store.Get(ctx, Key); err == nil || errors.Is(err, flags.ErrNotFound) {
		t.Errorf("Get with an ended context: %v", err)
	}
	if _, err := v.Store.Update(ctx, Key, f, revision); err == nil || errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update with an ended context: %v", err)
	}
}

func vendorStranger(t *testing.T, v Vendor) {
	if v.Touch == nil {
		t.Skip("no stranger here")
	}
	v.Create(t, flags.Feature)
	apply(t, v, flags.Ramp{Fence: fence(1), Share: 500})
	v.Touch(t)
	if _, err := flags.Apply(t.Context(), v.Store, Key, flags.Ramp{Fence: fence(2), Share: 2500}); !errors.Is(err, flags.ErrStranger) {
		t.Errorf("the next step: %v, want ErrStranger", err)
	}
	c := apply(t, v, flags.Kill{Fence: fence(3)})
	v.confirms(t, c)
}

func vendorKillsThrough(t *testing.T, v Vendor) {
	if v.Touch == nil {
		t.Skip("no stranger here")
	}
	v.Create(t, flags.Feature)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < 50 && ctx.Err() == nil; i++ {
			v.Touch(t)
		}
	})
	_, err := flags.Apply(t.Context(), v.Store, Key, flags.Kill{Fence: fence(2)})
	stop()
	wg.Wait()
	if err != nil {
		t.Errorf("kill among writers: %v", err)
	}
	if f, _, err := v.Store.Get(t.Context(), Key); err != nil || !f.Mark().Killed {
		t.Errorf("after the kill: %+v, %v", f.Mark(), err)
	}
}

func vendorLatches(t *testing.T, v Vendor) {
	v.Create(t, v.kind())
	apply(t, v, v.ramp(1, 2500))
	apply(t, v, flags.Kill{Fence: fence(2), Base: v.base()})
	if _, err := flags.Apply(t.Context(), v.Store, Key, v.ramp(3, 5000)); !errors.Is(err, flags.ErrLatched) {
		t.Errorf("a ramp after the kill: %v, want ErrLatched", err)
	}
	if v.OnOff {
		return // the next rollout needs a person: another case
	}
	later := flags.Ramp{Fence: flags.Fence{Rollout: "r-2", Slot: "production/shop", Generation: 2, Seq: 1}, Variant: "v3", Base: "v1", Share: 500}
	v.confirms(t, apply(t, v, later))
}

func vendorResets(t *testing.T, v Vendor) {
	v.Create(t, flags.Feature)
	apply(t, v, flags.Ramp{Fence: fence(1), Share: 2500})
	kill := apply(t, v, flags.Kill{Fence: fence(2)})
	later := flags.Ramp{Fence: flags.Fence{Rollout: "r-2", Slot: "production/shop", Generation: 2, Seq: 1}, Share: 500}
	if _, err := flags.Apply(t.Context(), v.Store, Key, later); !errors.Is(err, flags.ErrNeedsReset) {
		t.Errorf("the next rollout: %v, want ErrNeedsReset", err)
	}
	c := apply(t, v, flags.Reset{By: "Ada Lovelace", Reason: "the fault  is found: ü"})
	if f, revision, err := v.Store.Get(t.Context(), Key); err != nil || f.Mark().ResetBy != "Ada Lovelace" || revision != c.Revision || revision == kill.Revision {
		t.Errorf("after the reset: %+v at %d, %v", f.Mark(), revision, err)
	}
	v.confirms(t, apply(t, v, later))
}

func vendorPromotes(t *testing.T, v Vendor) {
	v.Create(t, v.kind())
	apply(t, v, v.ramp(1, 500))
	v.confirms(t, apply(t, v, v.ramp(2, flags.Total)))
	if v.OnOff {
		if f, _, err := v.Store.Get(t.Context(), Key); err != nil || !errors.Is(flags.CheckRamp(f, "", ""), flags.ErrServed) {
			t.Errorf("a flag that is on for all may be ramped: %s (%v)", f.Bytes(), err)
		}
		return
	}
	later := flags.Fence{Rollout: "r-2", Slot: "production/shop", Generation: 2, Seq: 1}
	v.confirms(t, apply(t, v, flags.Ramp{Fence: later, Variant: "v3", Base: "v2", Share: 2500}))
	v.confirms(t, apply(t, v, flags.Kill{Fence: later.At(2), Base: "v2"}))
}

func (v Vendor) kind() flags.Kind {
	if v.OnOff {
		return flags.Feature
	}
	return flags.Version
}

// base is what users get who do not get what ramp gives.
func (v Vendor) base() string {
	if v.OnOff {
		return flags.Off
	}
	return "v1"
}

func (v Vendor) ramp(seq uint64, share int) flags.Ramp {
	if v.OnOff {
		return flags.Ramp{Fence: fence(seq), Share: share / 100 * 100}
	}
	return flags.Ramp{Fence: fence(seq), Variant: "v2", Base: "v1", Share: share}
}

func apply(t *testing.T, v Vendor, e flags.Edit) flags.Change {
	t.Helper()
	c, err := flags.Apply(t.Context(), v.Store, Key, e)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return c
}

// confirms expects the change to be seen, and what is not served not to be.
func (v Vendor) confirms(t *testing.T, c flags.Change) {
	t.Helper()
	if v.Confirmer == nil {
		return
	}
	patience := cmp.Or(v.Patience, 30*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := c.Want()
	if seen, err := v.Confirmer.Confirm(ctx, Key, want); err != nil || seen.Outcome != flags.Confirmed || seen.Users < 32 {
		t.Errorf("confirm %+v: %+v, %v", want, seen, err)
	}
	if want.Share > 0 && want.Share < flags.Total {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		want.Share = flags.Total
		if seen, err := v.Confirmer.Confirm(ctx, Key, want); err != nil || seen.Outcome != flags.Mismatch {
			t.Errorf("confirm %+v, which is not so: %+v, %v", want, seen, err)
		}
	}
}

func same(t *testing.T, got, want flags.Flag) {
	t.Helper()
	defGot, _ := got.Default()
	defWant, _ := want.Default()
	if defGot != defWant || string(got.Targeting()) != string(want.Targeting()) || got.Enabled() != want.Enabled() {
		t.Errorf("read %s\nwrote %s", got.Bytes(), want.Bytes())
	}
	a, b := got.Mark(), want.Mark()
	if a.Fence != b.Fence || a.Share != b.Share || a.Variant != b.Variant || a.Base != b.Base || a.Killed != b.Killed || len(a.Latched) != len(b.Latched) {
		t.Errorf("read the mark %+v\nwrote %+v", a, b)
	}
}
