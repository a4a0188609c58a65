package launchdarkly

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/launchdarkly/ldtest"
)

func TestConfirmationWaitsForTheVersionWritten(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	apply(t, s, ramp(1, 2500))
	standIn.Lag(true)
	c := apply(t, s, flags.Kill{Fence: fence(2)})
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	seen, err := s.Confirm(short, storeKey, c.Want())
	if err != nil || seen.Outcome != flags.Unverifiable || !strings.Contains(seen.Detail, "version 2 is served, 3 was written") {
		t.Errorf("while evaluations lag: %+v, %v", seen, err)
	}
	time.AfterFunc(200*time.Millisecond, func() { standIn.Lag(false) })
	seen, err = s.Confirm(t.Context(), storeKey, c.Want())
	if err != nil || seen.Outcome != flags.Confirmed || seen.Took < 100*time.Millisecond || seen.Share != 0 {
		t.Errorf("when they follow: %+v, %v", seen, err)
	}
}

func TestAFlagThatClientsDoNotGetIsUnverifiableWithTheCure(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) { f.ClientSide = false })
	c := apply(t, s, ramp(1, 500))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	seen, err := s.Confirm(ctx, storeKey, c.Want())
	if err != nil || seen.Outcome != flags.Unverifiable || !strings.Contains(seen.Detail, "SDKs using Client-side ID") {
		t.Errorf("%+v, %v", seen, err)
	}
	s.clientSideID = "another"
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if seen, err = s.Confirm(ctx, storeKey, c.Want()); err != nil || seen.Outcome != flags.Unverifiable {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestOneUserWhoStillGetsItIsAMismatch(t *testing.T) {
	s, standIn := open(t)
	standIn.Boolean(flagKey)
	standIn.Edit(flagKey, func(f *ldtest.Flag) {
		f.Targets = []ldtest.Target{{Variation: 0, Values: []string{"serin-user-9"}}}
	})
	want := flags.Want{Kind: flags.Feature, Variant: flags.On, Base: flags.Off}
	seen, err := s.Confirm(t.Context(), storeKey, want)
	if err != nil || seen.Outcome != flags.Mismatch || !strings.Contains(seen.Detail, `user serin-user-9 gets "on"`) || seen.Share != 156 {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestAQuestionWithoutSenseIsAnError(t *testing.T) {
	s, _ := open(t)
	for _, want := range []flags.Want{{}, {Kind: flags.Feature}, {Kind: flags.Version, Base: "v1", Share: 500}} {
		if _, err := s.Confirm(t.Context(), storeKey, want); err == nil {
			t.Errorf("%+v: no error", want)
		}
	}
}

func TestAnyMarkComesBackFromItsPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 200, -1)
		f, err := flags.Parse("f", []byte(`{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`))
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq < 12; seq++ { // more stopped rollouts than are kept
			by := flags.Fence{Rollout: rapid.StringMatching(`[a-z0-9-]{1,40}`).Draw(t, "rollout"), Slot: text.Draw(t, "slot"), Generation: 1<<63 - 1, Seq: seq}
			if f, err = (flags.Kill{Fence: by}).Edit(f); err != nil {
				t.Skip("an older write in the same slot")
			}
		}
		if f, err = (flags.Reset{By: "x" + text.Draw(t, "by"), Reason: "y" + text.Draw(t, "reason")}).Edit(f); err != nil {
			t.Fatal(err)
		}
		pieces, err := cutMark(f)
		if err != nil {
			return // too long: refused before anything is written
		}
		for _, p := range pieces {
			if len([]rune(p)) > propertyCharacters || strings.TrimSpace(p) != p {
				t.Fatalf("piece %q", p)
			}
		}
		back := readMark(rapid.Permutation(pieces).Draw(t, "order"))
		v := view{values: map[string]any{"on": true, "off": false}}
		g, err := v.parse("f", map[string]any{"state": "ENABLED", "variants": v.values, "metadata": back})
		if err != nil {
			t.Fatal(err)
		}
		a, b := f.Mark(), g.Mark()
		if a.Fence != b.Fence || a.Reason != b.Reason || a.ResetBy != b.ResetBy || len(a.Latched) != len(b.Latched) {
			t.Fatalf("%+v\nwas %+v", b, a)
		}
	})
}

func TestWhatIsNoMarkIsNone(t *testing.T) {
	for name, pieces := range map[string][]string{
		"nothing": nil, "a gap": {"00:{", "02:}"}, "no number": {"{}"}, "no object": {"00:1"}, "no JSON": {"00:{"}, "null": {"00:null"},
		"strangers": {`00:{"a":1,"serinX":{}}`},
	} {
		if got := readMark(pieces); got == nil || len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestASourceThatLacksSomethingIsRefused(t *testing.T) {
	whole := flags.Source{Project: "p", Environment: "e", TokenFile: "t", ReadKey: "c"}
	if s, err := New(whole, nil); err != nil || s.api != defaultAPI || s.eval != defaultClientSDK {
		t.Errorf("%+v, %v", s, err)
	}
	long := whole
	long.Environment = strings.Repeat("e", 60)
	for _, src := range []flags.Source{{}, {Project: "p", Environment: "e", TokenFile: "t"}, long} {
		if _, err := New(src, nil); err == nil {
			t.Errorf("%+v: no error", src)
		}
	}
}
