package flagstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/serin-cd/serin/flags"
)

// Key is the store key the suite writes to.
const Key = "production.shop.checkout"

// VersionFlag is a version flag at rest on v1, with fields Serin does not know.
const VersionFlag = `{"state":"ENABLED","variants":{"v1":"v1"},"defaultVariant":"v1","targeting":{},
	"metadata":{"team":"shop"},"x-owner":{"mail":"a<b>@example.com"},"x-list":[1,2.50,null]}`

// FeatureFlag is a feature flag at rest.
const FeatureFlag = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`

// MustParse parses a flag under the key of the suite.
func MustParse(t testing.TB, definition string) flags.Flag {
	t.Helper()
	_, key := flags.SplitKey(Key)
	f, err := flags.Parse(key, []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Run tests a store. Each call of open gives an empty one.
func Run(t *testing.T, open func(t *testing.T) flags.Store) {
	cases := map[string]func(*testing.T, flags.Store){
		"a missing flag is ErrNotFound":                 missing,
		"revision 0 creates, once":                      creates,
		"only the last revision may be written over":    comparesAndSets,
		"unknown fields come back as they were":         keepsFields,
		"the flag's key is without the environment":     namesFlag,
		"a context that has ended is an error":          endedContext,
		"two writers at once lose nothing":              twoWriters,
		"a kill gets through while others keep writing": killsThroughConflicts,
		"a redelivered ramp after a kill stays refused": latches,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func missing(t *testing.T, s flags.Store) {
	if _, _, err := s.Get(t.Context(), Key); !errors.Is(err, flags.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if _, err := s.Update(t.Context(), Key, MustParse(t, VersionFlag), 7); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update at revision 7 of nothing: %v, want ErrConflict", err)
	}
}

func creates(t *testing.T, s flags.Store) {
	revision := create(t, s, VersionFlag)
	if _, got, err := s.Get(t.Context(), Key); err != nil || got != revision || got == 0 {
		t.Errorf("Get after creating at %d: revision %d, %v", revision, got, err)
	}
	if _, err := s.Update(t.Context(), Key, MustParse(t, VersionFlag), 0); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("creating twice: %v, want ErrConflict", err)
	}
}

func comparesAndSets(t *testing.T, s flags.Store) {
	first := create(t, s, FeatureFlag)
	changed := strings.Replace(FeatureFlag, "{", `{"x-changed":true,`, 1)
	second, err := s.Update(t.Context(), Key, MustParse(t, changed), first)
	if err != nil || second == first || second == 0 {
		t.Fatalf("Update at %d: revision %d, %v; want another one", first, second, err)
	}
	if _, err := s.Update(t.Context(), Key, MustParse(t, VersionFlag), first); !errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update at the revision before: %v, want ErrConflict", err)
	}
	if f, got, err := s.Get(t.Context(), Key); err != nil || got != second || f.Kind() != flags.Feature {
		t.Errorf("after a refused write: revision %d, kind %q, %v; want what was there", got, f.Kind(), err)
	}
}

func keepsFields(t *testing.T, s flags.Store) {
	create(t, s, VersionFlag)
	change, err := flags.Apply(t.Context(), s, Key, flags.Ramp{Fence: fence(1), Variant: "v2", Base: "v1", Share: 500})
	if err != nil {
		t.Fatal(err)
	}
	f, revision, err := s.Get(t.Context(), Key)
	if err != nil || revision != change.Revision || string(f.Bytes()) != string(change.After.Bytes()) {
		t.Errorf("read %s at %d (%v)\nwrote %s at %d", f.Bytes(), revision, err, change.After.Bytes(), change.Revision)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(f.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	if got := string(fields["x-owner"]) + string(fields["x-list"]); got != `{"mail":"a<b>@example.com"}[1,2.50,null]` {
		t.Errorf("unknown fields came back as %s", got)
	}
	if f.Metadata()["team"] != "shop" {
		t.Errorf("metadata came back as %v", f.Metadata())
	}
}

func namesFlag(t *testing.T, s flags.Store) {
	create(t, s, VersionFlag)
	if f, _, err := s.Get(t.Context(), Key); err != nil || f.Key() != "shop.checkout" {
		t.Errorf("key %q, %v; want shop.checkout", f.Key(), err)
	}
}

func endedContext(t *testing.T, s flags.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Get(ctx, Key); err == nil {
		t.Error("Get with an ended context succeeds")
	}
	if _, err := s.Update(ctx, Key, MustParse(t, VersionFlag), 0); err == nil || errors.Is(err, flags.ErrConflict) {
		t.Errorf("Update with an ended context: %v", err)
	}
}

func twoWriters(t *testing.T, s flags.Store) {
	create(t, s, VersionFlag)
	var wg sync.WaitGroup
	const writers, writes = 4, 20
	for w := range writers {
		wg.Go(func() {
			for i := range writes {
				if err := add(t.Context(), s, fmt.Sprintf("x-%d-%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f, _, err := s.Get(t.Context(), Key)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(f.Bytes()), `"x-`) - 2; got != writers*writes {
		t.Errorf("%d of %d writes are there", got, writers*writes)
	}
}

func killsThroughConflicts(t *testing.T, s flags.Store) {
	create(t, s, FeatureFlag)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil && i < 200; i++ {
				_ = add(ctx, s, fmt.Sprintf("x-%d", w))
			}
		})
	}
	_, err := flags.Apply(t.Context(), s, Key, flags.Kill{Fence: fence(2)})
	stop()
	wg.Wait()
	if err != nil {
		t.Errorf("kill among writers: %v", err)
	}
	if f, _, err := s.Get(t.Context(), Key); err != nil || !f.Mark().Killed {
		t.Errorf("after the kill: %+v, %v", f.Mark(), err)
	}
}

func latches(t *testing.T, s flags.Store) {
	create(t, s, VersionFlag)
	ramp := flags.Ramp{Fence: fence(1), Variant: "v2", Base: "v1", Share: 2500}
	for _, e := range []flags.Edit{ramp, flags.Kill{Fence: fence(2), Base: "v1"}} {
		if _, err := flags.Apply(t.Context(), s, Key, e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := flags.Apply(t.Context(), s, Key, ramp); !errors.Is(err, flags.ErrLatched) {
		t.Errorf("the ramp once more: %v, want ErrLatched", err)
	}
}

// add writes one more unknown field, for as long as others are faster.
func add(ctx context.Context, s flags.Store, field string) error {
	for {
		f, revision, err := s.Get(ctx, Key)
		if err != nil {
			return err
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(f.Bytes(), &fields); err != nil {
			return err
		}
		fields[field] = json.RawMessage("true")
		data, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		if f, err = flags.Parse(f.Key(), data); err != nil {
			return err
		}
		if _, err = s.Update(ctx, Key, f, revision); !errors.Is(err, flags.ErrConflict) {
			return err
		}
	}
}

func create(t *testing.T, s flags.Store, definition string) (revision uint64) {
	t.Helper()
	revision, err := s.Update(t.Context(), Key, MustParse(t, definition), 0)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func fence(seq uint64) flags.Fence {
	return flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: seq}
}
