package openfeature_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
)

func TestAnAudienceIsConfirmedByItsMembersAndByThoseWhoLackAnAttribute(t *testing.T) {
	testers := flags.Audience{{"email": {"*@example.com"}}}
	wider := slices.Concat(testers, flags.Audience{{"region": {"eu", "us"}, "device.kind": {"ios*"}}, {flags.TargetingKey: {"ana"}}})
	b := start(t)
	b.put(key, flagstest.VersionFlag)
	c := b.confirmer()
	for i, tt := range []struct {
		share int
		also  flags.Audience
		users int
	}{{0, testers, 64 + 1 + 4}, {0, wider, 64 + 1 + 14 + 2}, {500, wider, 1000 + 1 + 14 + 2}, {10000, wider, 64 + 1}} {
		change := b.edit(key, flags.Ramp{Fence: fence.At(uint64(i + 1)), Variant: "v2", Base: "v1", Share: tt.share, Also: tt.also})
		seen := confirm(t, c, change.Want())
		if d := seen.Share - tt.share; seen.Outcome != flags.Confirmed || d < -300 || d > 300 || seen.Users != tt.users {
			t.Errorf("%d and %v: %+v, want %d users", tt.share, tt.also, seen, tt.users)
		}
		narrow, want := change.Want(), change.Want()
		if narrow.Also, narrow.Was = nil, tt.also; tt.share < flags.Total {
			if seen := soon(t, c, narrow); seen.Outcome != flags.Mismatch || !strings.Contains(seen.Detail, `gets variant "v2"`) {
				t.Errorf("an audience that nobody wanted: %+v", seen)
			}
			want.Also = append(slices.Clip(want.Also), map[string][]string{"email": {"*.org"}})
			if seen := soon(t, c, want); seen.Outcome != flags.Mismatch || !strings.Contains(seen.Detail, `"v2" is due`) {
				t.Errorf("an audience that is not served: %+v", seen)
			}
		}
	}
	b.put("production.other", flagstest.VersionFlag)
	b.edit("production.other", flags.Ramp{Fence: fence, Variant: "v2", Base: "v1", Also: testers})
	for range 2 { // a kill that was cut short before its confirmation is done again
		kill := b.edit("production.other", flags.Kill{Fence: fence.At(2), Base: "v1"})
		if seen, err := c.Confirm(t.Context(), "production.other", kill.Want()); err != nil || seen.Outcome != flags.Confirmed || seen.Users != 64+1+4 {
			t.Errorf("killed: %+v, %v, want the former testers asked too", seen, err)
		}
	}
	if _, err := c.Confirm(t.Context(), key, flags.Want{Kind: flags.Version, Base: "v1", Also: testers}); err == nil {
		t.Error("an audience of no variant is a question")
	}
}
