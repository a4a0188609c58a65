package ofrep_test

import (
	"strings"
	"testing"

	"github.com/serin-cd/serin/flags"
)

func TestAnAudienceIsConfirmedWithItsAttributes(t *testing.T) {
	testers := flags.Audience{{"email": {"*@example.com"}, "device.kind": {"ios*", "android"}}}
	fence := flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: 1}
	for _, share := range []int{0, 500} {
		w := serve(t, nil)
		c := confirmer(t, w.URL, "")
		put := func(e flags.Edit) flags.Want {
			t.Helper()
			before, err := flags.Parse("checkout", []byte(feature))
			if f, _, found := w.board.Flag("production.checkout"); found == nil {
				before, err = f, nil
			}
			if err != nil {
				t.Fatal(err)
			}
			after, err := e.Edit(before)
			if err != nil {
				t.Fatal(err)
			}
			return flags.Change{After: after, Revision: w.board.put("production.checkout", string(after.Bytes()))}.Want()
		}
		want := put(flags.Ramp{Fence: fence, Share: share, Also: testers})
		if seen := confirm(t, c, want); seen.Outcome != flags.Confirmed {
			t.Errorf("at %d: %+v", share, seen)
		}
		more := want
		more.Also = flags.Audience{{"email": {"*@example.org"}}}
		if seen := fail(t, c, more); seen.Outcome != flags.Mismatch || !strings.Contains(seen.Detail, "example.org") {
			t.Errorf("an audience that is not served, at %d: %+v", share, seen)
		}
		left := want
		left.Also, left.Was = nil, testers
		if seen := fail(t, c, left); seen.Outcome != flags.Mismatch || !strings.Contains(seen.Detail, "ios") {
			t.Errorf("testers who are left over, at %d: %+v", share, seen)
		}
		if seen := confirm(t, c, put(flags.Kill{Fence: fence.At(2)})); seen.Outcome != flags.Confirmed {
			t.Errorf("killed: %+v", seen)
		}
	}
}
