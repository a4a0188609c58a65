package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	testers = Audience{{"email": {"*@example.com"}}}
	wider   = append(testers[:1:1], map[string][]string{"region": {"eu", "us"}, "device.kind": {"ios*"}})
)

func also(r Ramp, a Audience) Ramp {
	r.Also = a
	return r
}

func TestRampWritesTheAudienceBeforeTheShare(t *testing.T) {
	const email = `{"ends_with":[{"var":"email"},"@example.com"]}`
	const rest = `{"and":[{"starts_with":[{"var":"device.kind"},"ios"]},{"or":[{"===":[{"var":"region"},"eu"]},{"===":[{"var":"region"},"us"]}]}]}`
	for name, tt := range map[string]struct {
		start string
		ramp  Ramp
		want  string
	}{
		"testers alone":           {versionAtRest, also(v2(by(1), 0), testers), `{"if":[` + email + `,"v2","v1"]}`},
		"testers and a share":     {versionAtRest, also(v2(by(1), 500), testers), `{"if":[` + email + `,"v2",{"fractional":[["v2",500],["v1",9500]]}]}`},
		"two groups":              {featureAtRest, also(on(by(1), 2500), wider), `{"if":[{"or":[` + email + `,` + rest + `]},"on",{"fractional":[["on",2500],["off",7500]]}]}`},
		"everybody: none is left": {versionAtRest, also(v2(by(1), Total), testers), ``},
		"nobody":                  {versionAtRest, v2(by(1), 0), ``},
	} {
		t.Run(name, func(t *testing.T) {
			f := edit(t, mustParse(t, "f", tt.start), tt.ramp)
			if d := cmp.Diff(tt.want, string(f.Targeting())); d != "" {
				t.Error(d)
			}
			if err := f.Validate(); err != nil {
				t.Errorf("what is written is not valid: %v", err)
			}
			read := mustParse(t, "f", string(f.Bytes()))
			if again := edit(t, read, tt.ramp); !cmp.Equal(again.Bytes(), f.Bytes()) {
				t.Errorf("the ramp once more writes %s", again.Bytes())
			}
			for key, v := range read.Metadata() {
				if strings.HasPrefix(key, "serinAud") && v != tt.ramp.Also.text() {
					t.Errorf("%s is %v", key, v)
				}
			}
		})
	}
}

func TestTheAudienceGetsTheVariantWithAndWithoutATargetingKey(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), also(v2(by(1), 0), wider))
	ios := map[string]any{"kind": "ios-17"}
	for want, contexts := range map[string][]map[string]any{
		"v2": {{"email": "ana@example.com"}, {"email": "ana@example.com", "targetingKey": "u1"}, {"region": "us", "device": ios}},
		"v1": {nil, {"targetingKey": "u1"}, {"email": "ana@example.com.evil.org"}, {"email": "ANA@EXAMPLE.COM"}, {"email": 7}, {"email": nil},
			{"email": []any{"ana@example.com"}}, {"region": "us"}, {"device": ios}, {"region": "usa", "device": ios}, {"region": "us", "device": "ios-17"}},
	} {
		for _, ctx := range contexts {
			if got := f.Evaluate(ctx, at); got.Variant != want || got.Err != nil {
				t.Errorf("%v gets %+v, want %s", ctx, got, want)
			}
		}
	}
}

func TestAStrangersAudienceStopsARampAndNotAKill(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), also(v2(by(1), 500), testers))
	for name, targeting := range map[string]string{
		"another pattern": strings.Replace(string(f.Targeting()), "@example.com", "@example.org", 1),
		"another variant": strings.Replace(string(f.Targeting()), `"v2",{`, `"v1",{`, 1),
		"no audience":     `{"fractional":[["v2",500],["v1",9500]]}`,
		"none":            `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			theirs := handEdit(t, f, `{"targeting":`+targeting+`}`)
			if _, err := also(v2(by(2), 2500), testers).Edit(theirs); !errors.Is(err, ErrStranger) {
				t.Errorf("%v, want ErrStranger", err)
			}
			killed := edit(t, theirs, Kill{Fence: by(3), Base: "v1"})
			if m := killed.Mark(); killed.Targeting() != nil || m.Also != nil || !m.Killed {
				t.Errorf("after the kill: %s, %+v", killed.Targeting(), m)
			}
		})
	}
	spaced := strings.ReplaceAll(string(f.Bytes()), ",", " ,\n ")
	edit(t, mustParse(t, "f", spaced), also(v2(by(2), 2500), testers))
	if _, err := also(v2(by(1), 500), wider).Edit(f); !errors.Is(err, ErrStale) {
		t.Errorf("another audience under the same seq: %v, want ErrStale", err)
	}
	busy := Ramp{Fence: other(1), Variant: "v2", Base: "v1", Share: 500}
	if _, err := busy.Edit(edit(t, mustParse(t, "f", versionAtRest), also(v2(by(1), 0), testers))); !errors.Is(err, ErrStranger) {
		t.Errorf("another slot's ramp while testers have it: %v, want ErrStranger", err)
	}
}

func TestAudiencesThatWouldBeEverybodyOrAreEndlessAreRefused(t *testing.T) {
	f := mustParse(t, "f", versionAtRest)
	for name, a := range map[string]Audience{
		"empty group": {{}}, "no patterns": {{"email": nil}}, "no name": {{"": {"a"}}}, "a star alone": {{"email": {"*"}}}, "no text": {{"email": {""}}},
		"endless": {{"email": {strings.Repeat("a", longestAudience)}}},
	} {
		if _, err := also(v2(by(1), 0), a).Edit(f); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if got := readAudience(a.text()); got != nil {
			t.Errorf("%s is read back as %v", name, got)
		}
	}
}

func anyAudience(rt *rapid.T, label string) Audience {
	name := rapid.SampledFrom([]string{"email", "region", "device.kind", "device.os", TargetingKey})
	pattern := rapid.Custom(func(rt *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*"}).Draw(rt, "star") + rapid.StringMatching(`[ab1.@]{1,2}`).Draw(rt, "text")
	})
	end := rapid.Custom(func(rt *rapid.T) string { return strings.TrimPrefix(pattern.Draw(rt, "prefix"), "*") + "*" })
	group := rapid.MapOfN(name, rapid.SliceOfN(rapid.OneOf(pattern, end), 1, 3), 1, 3)
	var a Audience
	for range rapid.IntRange(0, 3).Draw(rt, label) {
		a = append(a, group.Draw(rt, "group"))
	}
	return a
}

// Whatever the audiences are, nobody leaves while share and audience only grow, and the flag gives what Want says.
func TestNobodyLeavesWhileShareAndAudienceGrow(t *testing.T) {
	value := rapid.OneOf(rapid.StringMatching(`[ab1.@]{0,3}`).AsAny(), rapid.SampledFrom([]any{nil, 1.0, true, []any{"a"}, map[string]any{"b": "a"}}))
	rapid.Check(t, func(rt *rapid.T) {
		f := mustParse(t, "f", versionAtRest)
		ctx := rapid.MapOfN(rapid.SampledFrom([]string{"email", "region"}), value, 0, 2).Draw(rt, "context")
		ctx["device"] = map[string]any{"kind": value.Draw(rt, "kind"), "os": "a"}
		if rapid.Bool().Draw(rt, "has key") {
			ctx[TargetingKey] = rapid.StringMatching(`[ab1]{0,3}`).Draw(rt, "key")
		}
		share, in := 0, false
		var audience Audience
		for seq := range rapid.Uint64Range(1, 4).Draw(rt, "steps") {
			share = rapid.IntRange(share, Total).Draw(rt, "share")
			audience = append(slices.Clip(audience), anyAudience(rt, "groups")...)
			ramp := also(v2(by(seq+1), share), audience)
			f = edit(t, f, ramp)
			got := f.Evaluate(ctx, at)
			if want := (Want{Variant: "v2", Base: "v1", Share: share, Also: audience}).ForContext("f", ctx); got.Variant != want || got.Err != nil {
				rt.Fatalf("%v gets %+v, Want says %s\n%s", ctx, got, want, f.Bytes())
			}
			if in && got.Variant != "v2" {
				rt.Fatalf("%v left at %d of %v", ctx, share, audience)
			}
			in = got.Variant == "v2"
		}
	})
}

func TestContextsHaveMembersOfEveryPatternAndOthers(t *testing.T) {
	contexts := wider.Contexts()
	in := 0
	for _, ctx := range contexts {
		if wider.Has(ctx) {
			in++
		}
	}
	if in != 4 || len(contexts) != 7 {
		t.Errorf("%d of %d are in, want 4 of 7: %v", in, len(contexts), fmt.Sprint(contexts))
	}
}
