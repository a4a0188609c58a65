package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	versionAtRest = `{"state":"ENABLED","variants":{"v1":"v1"},"defaultVariant":"v1","targeting":{}}`
	featureAtRest = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}`
)

// by is a fence of the slot's first rollout, by2 of its second.
func by(seq uint64) Fence  { return Fence{Rollout: "r-1", Slot: "prod/shop", Generation: 1, Seq: seq} }
func by2(seq uint64) Fence { return Fence{Rollout: "r-2", Slot: "prod/shop", Generation: 2, Seq: seq} }

// other is a fence of another slot, whose generations count on their own.
func other(seq uint64) Fence {
	return Fence{Rollout: "r-9", Slot: "prod/billing", Generation: 1, Seq: seq}
}

func edit(t testing.TB, f Flag, edits ...Edit) Flag {
	t.Helper()
	for _, e := range edits {
		next, err := e.Edit(f)
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		f = next
	}
	return f
}

// handEdit is what a person makes of a flag: some fields set by hand.
func handEdit(t testing.TB, f Flag, fields string) Flag {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(f.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(fields), &all); err != nil {
		t.Fatal(err)
	}
	return mustParse(t, f.Key(), string(marshal(all)))
}

func v2(fence Fence, share int) Ramp {
	return Ramp{Fence: fence, Variant: "v2", Base: "v1", Share: share}
}
func on(fence Fence, share int) Ramp { return Ramp{Fence: fence, Share: share} }

func TestRampWritesTheNewVariantFirstAndTheTotalIsFixed(t *testing.T) {
	tests := []struct {
		name, start string
		edit        Edit
		want        string // without metadata
	}{
		{"version at 25 %", versionAtRest, v2(by(1), 2500), `{"state":"ENABLED","variants":{"v1":"v1","v2":"v2"},"defaultVariant":"v1","targeting":{"fractional":[["v2",2500],["v1",7500]]}}`},
		{"version at 0", versionAtRest, v2(by(1), 0), `{"state":"ENABLED","variants":{"v1":"v1","v2":"v2"},"defaultVariant":"v1","targeting":{}}`},
		{"version at all", versionAtRest, v2(by(1), 10000), `{"state":"ENABLED","variants":{"v1":"v1","v2":"v2"},"defaultVariant":"v2","targeting":{}}`},
		{"first release keeps the default as base", versionAtRest, Ramp{Fence: by(1), Variant: "v2", Share: 100}, `{"state":"ENABLED","variants":{"v1":"v1","v2":"v2"},"defaultVariant":"v1","targeting":{"fractional":[["v2",100],["v1",9900]]}}`},
		{"feature at 0.5 %", featureAtRest, on(by(1), 50), `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"fractional":[["on",50],["off",9950]]}}`},
		{"feature at all", featureAtRest, on(by(1), 10000), `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","targeting":{}}`},
		{"feature killed", featureAtRest, Kill{Fence: by(1)}, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decoded(t, edit(t, mustParse(t, "f", tt.start), tt.edit).Bytes())
			delete(got, "metadata")
			if d := cmp.Diff(decoded(t, []byte(tt.want)), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func decoded(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMarkIsFlatMetadataAndReadsBack(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), v2(Fence{Rollout: "r-1", Slot: "prod/shop", Generation: 1<<63 - 1, Seq: 1<<53 + 1}, 2500))
	want := Mark{Fence: Fence{Rollout: "r-1", Slot: "prod/shop", Generation: 1<<63 - 1, Seq: 1<<53 + 1}, Variant: "v2", Base: "v1", Share: 2500}
	if d := cmp.Diff(want, f.Mark(), cmp.Transformer("nil", func(s []string) string { return strings.Join(s, " ") })); d != "" {
		t.Error(d)
	}
}

func TestKillServesBaseAndLatchesItsRollout(t *testing.T) {
	for _, tt := range []struct {
		name, start string
		ramp        Ramp
		kill        Kill
		base        string
	}{
		{"version", versionAtRest, v2(by(1), 2500), Kill{Fence: by(2), Base: "v1"}, "v1"},
		{"version at all", versionAtRest, v2(by(1), 10000), Kill{Fence: by(2), Base: "v1"}, "v1"},
		{"first release, base on record", versionAtRest, Ramp{Fence: by(1), Variant: "v2", Share: 10000}, Kill{Fence: by(2)}, "v1"},
		{"feature", featureAtRest, on(by(1), 10000), Kill{Fence: by(2), Base: "off"}, "off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := edit(t, mustParse(t, "f", tt.start), tt.ramp, tt.kill)
			if got := f.Evaluate(map[string]any{"targetingKey": "u"}, at); got.Variant != tt.base || got.Reason != ReasonStatic {
				t.Errorf("%+v, want %s for all", got, tt.base)
			}
			for _, late := range []Ramp{tt.ramp, {Fence: by(3), Variant: tt.ramp.Variant, Base: tt.ramp.Base, Share: 10000}, {Fence: by(3), Variant: tt.ramp.Variant, Base: tt.ramp.Base}} {
				if _, err := late.Edit(f); !errors.Is(err, ErrLatched) {
					t.Errorf("%+v after the kill: %v, want ErrLatched", late, err)
				}
			}
			if again := edit(t, f, tt.kill); !cmp.Equal(again.Bytes(), f.Bytes()) {
				t.Errorf("the kill once more writes %s", again.Bytes())
			}
		})
	}
}

func TestVersionFlagRampsAgainForTheNextRollout(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), v2(by(1), 500), Kill{Fence: by(2), Base: "v1"},
		Ramp{Fence: by2(1), Variant: "v3", Base: "v1", Share: 500}, Ramp{Fence: by2(2), Variant: "v3", Base: "v1", Share: 10000})
	if def, _ := f.Default(); def != "v3" {
		t.Errorf("default is %q, want v3", def)
	}
	for _, late := range []Edit{v2(by(9), 500), Kill{Fence: by(9), Base: "v1"}} {
		if _, err := late.Edit(f); !errors.Is(err, ErrStale) && !errors.Is(err, ErrLatched) {
			t.Errorf("%+v of the rollout before: %v", late, err)
		}
	}
}

func TestFeatureFlagWaitsForAPerson(t *testing.T) {
	off := edit(t, mustParse(t, "shop.checkout", featureAtRest), on(by(1), 500), Kill{Fence: by(2)})
	_, err := on(by2(1), 500).Edit(off)
	if !errors.Is(err, ErrNeedsReset) || !strings.Contains(fmt.Sprint(err), "serin flags reset shop.checkout") {
		t.Errorf("ramp of the next rollout: %v, want ErrNeedsReset and the command", err)
	}
	if err := CheckRamp(off, "", ""); !errors.Is(err, ErrNeedsReset) {
		t.Errorf("at acceptance: %v, want ErrNeedsReset", err)
	}
	for _, r := range []Reset{{}, {By: "ana"}, {Reason: "fixed"}, {By: " ", Reason: "\n"}} {
		if _, err := r.Edit(off); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
	reset := edit(t, off, Reset{By: "ana", Reason: "fixed\nin v2"})
	if m := reset.Mark(); m.Killed || m.ResetBy != "ana" || m.Reason != "fixed in v2" {
		t.Errorf("after the reset: %+v", m)
	}
	if got := reset.Evaluate(nil, at).Value; got != false {
		t.Errorf("the reset serves %v", got)
	}
	if _, err := on(by(3), 500).Edit(reset); !errors.Is(err, ErrLatched) {
		t.Errorf("ramp of the stopped rollout after the reset: %v, want ErrLatched", err)
	}
	edit(t, reset, on(by2(1), 500))
	if again := edit(t, reset, Reset{By: "bo", Reason: "again"}); again.Mark().ResetBy != "ana" {
		t.Error("a second reset writes")
	}
}

func TestKillAsAnActionWorksOnAFlagThatSerinNeverRamped(t *testing.T) {
	f := mustParse(t, "f", `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on","targeting":{"if":[{"var":"qa"},"on","off"]}}`)
	killed := edit(t, f, Kill{Fence: by(4)})
	if got := killed.Evaluate(map[string]any{"qa": true}, at); got.Value != false || got.Reason != ReasonStatic {
		t.Errorf("%+v, want off for all", got)
	}
	if string(f.Targeting()) == "" || killed.Targeting() != nil {
		t.Errorf("before %s, after %s", f.Targeting(), killed.Targeting())
	}
	if _, err := on(by2(1), 100).Edit(killed); !errors.Is(err, ErrNeedsReset) {
		t.Errorf("ramp afterwards: %v, want ErrNeedsReset", err)
	}
}

func TestKillOfAnotherSlotAlwaysCounts(t *testing.T) {
	late := Fence{Rollout: "r-70", Slot: "prod/shop", Generation: 70, Seq: 5}
	f := edit(t, mustParse(t, "f", featureAtRest), on(late, 500), Kill{Fence: other(1)})
	if !f.Mark().Killed {
		t.Error("the kill of a slot with a lower generation is lost")
	}
	f = edit(t, f, Kill{Fence: Fence{Rollout: "r-70", Slot: "prod/shop", Generation: 70, Seq: 6}}, Reset{By: "ana", Reason: "ok"})
	for _, e := range []Ramp{on(other(2), 100), on(Fence{Rollout: "r-70", Slot: "prod/shop", Generation: 70, Seq: 7}, 100)} {
		if _, err := e.Edit(f); !errors.Is(err, ErrLatched) {
			t.Errorf("%+v: %v, want ErrLatched", e, err)
		}
	}
}

func TestRampOfAnotherSlotIsRefusedWhileOneIsUnderWay(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), v2(by(1), 500))
	if _, err := (Ramp{Fence: other(1), Variant: "v7", Base: "v1", Share: 500}).Edit(f); !errors.Is(err, ErrStranger) {
		t.Errorf("%v, want ErrStranger", err)
	}
	edit(t, f, Kill{Fence: by(2), Base: "v1"}, Ramp{Fence: other(1), Variant: "v7", Base: "v1", Share: 500})
}

func TestOlderFencesAreRefused(t *testing.T) {
	f := edit(t, mustParse(t, "f", versionAtRest), v2(by2(5), 2500))
	for name, e := range map[string]Edit{
		"ramp of a lower seq":        v2(by2(4), 5000),
		"ramp of a lower generation": v2(by(9), 5000),
		"kill of a lower seq":        Kill{Fence: by2(4), Base: "v1"},
		"kill of a lower generation": Kill{Fence: by(9), Base: "v1"},
		"another share, same seq":    v2(by2(5), 5000),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := e.Edit(f); !errors.Is(err, ErrStale) {
				t.Errorf("%v, want ErrStale", err)
			}
		})
	}
	if again := edit(t, f, v2(by2(5), 2500)); !cmp.Equal(again.Bytes(), f.Bytes()) {
		t.Error("the same ramp once more writes something")
	}
}

func TestStrangersEditStopsARampAndNotAKill(t *testing.T) {
	ramped := edit(t, mustParse(t, "f", versionAtRest), v2(by(1), 2500))
	for name, fields := range map[string]string{
		"another split":             `{"targeting":{"fractional":[["v2",9000],["v1",1000]]}}`,
		"buckets the other way":     `{"targeting":{"fractional":[["v1",7500],["v2",2500]]}}`,
		"a rule of their own":       `{"targeting":{"if":[{"var":"qa"},"v2","v1"]}}`,
		"targeting removed":         `{"targeting":{}}`,
		"another default":           `{"defaultVariant":"v2"}`,
		"default removed":           `{"defaultVariant":null}`,
		"the mark says another":     `{"metadata":{"serinRollout":"r-1","serinSlot":"prod/shop","serinGeneration":1,"serinSeq":1,"serinVariant":"v2","serinBase":"v1","serinShare":9999}}`,
		"targeting without a mark":  `{"metadata":{}}`,
		"a mark of the wrong types": `{"metadata":{"serinRollout":7,"serinSeq":"x","serinShare":-4}}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := handEdit(t, ramped, fields)
			for _, e := range []Ramp{v2(by(1), 2500), v2(by(2), 5000)} {
				if _, err := e.Edit(f); !errors.Is(err, ErrStranger) {
					t.Errorf("%+v: %v, want ErrStranger", e, err)
				}
			}
			killed := edit(t, f, Kill{Fence: by(2), Base: "v1"})
			if got := killed.Evaluate(map[string]any{"targetingKey": "u", "qa": true}, at); got.Variant != "v1" {
				t.Errorf("after the kill %+v", got)
			}
		})
	}
}

func TestCheckRampFindsWhatIsWrongBeforeAnythingIsWritten(t *testing.T) {
	version, feature := mustParse(t, "f", versionAtRest), mustParse(t, "f", featureAtRest)
	tests := []struct {
		name          string
		flag          Flag
		variant, base string
		want          error
		says          string
	}{
		{"version flag at rest", version, "v2", "v1", nil, ""},
		{"version flag, first release", version, "v2", "", nil, ""},
		{"feature flag at rest", feature, "", "", nil, ""},
		{"feature flag by name", feature, "on", "off", nil, ""},
		{"an earlier rollout half-way", edit(t, version, v2(by(1), 500)), "v3", "v1", nil, ""},
		{"missing", Flag{}, "v2", "v1", ErrNotFound, "create it"},
		{"disabled", handEdit(t, version, `{"state":"DISABLED"}`), "v2", "v1", ErrDisabled, "ENABLED"},
		{"numbers", mustParse(t, "f", `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}`), "v2", "v1", ErrKind, "on (true)"},
		{"booleans with other names", mustParse(t, "f", `{"state":"ENABLED","variants":{"yes":true,"no":false}}`), "", "", ErrKind, "on (true)"},
		{"on and off the wrong way round", mustParse(t, "f", `{"state":"ENABLED","variants":{"on":false,"off":true}}`), "", "", ErrKind, "on (true)"},
		{"versions on a feature flag", feature, "v2", "v1", ErrKind, "off to on"},
		{"no version", version, "", "v1", nil, "version to ramp is empty"},
		{"a version whose value is another", handEdit(t, version, `{"variants":{"v1":"v1","v2":"blue"}}`), "v2", "v1", ErrKind, "blue"},
		{"default is not the base", version, "v3", "v2", ErrStranger, `expected the default "v2"`},
		{"first release without a default", handEdit(t, version, `{"defaultVariant":null}`), "v2", "", ErrBase, "defaultVariant"},
		{"first release of the default", version, "v1", "", ErrServed, "nothing is left"},
		{"served to all already", version, "v1", "v0", ErrServed, "set it back"},
		{"feature on for all", handEdit(t, feature, `{"defaultVariant":"on"}`), "", "", ErrServed, "another flag"},
		{"feature promoted before", edit(t, feature, on(by(1), 10000)), "", "", ErrServed, "set it back"},
		{"latched", edit(t, feature, Kill{Fence: by(1)}), "", "", ErrNeedsReset, "serin flags reset f"},
		{"a stranger's rule", handEdit(t, version, `{"targeting":{"if":[true,"v1"]}}`), "v2", "v1", ErrStranger, `{"if":[true,"v1"]}`},
		{"a stranger's fractional", handEdit(t, feature, `{"targeting":{"fractional":[["on",5],["off",95]]}}`), "", "", ErrStranger, "remove the targeting"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckRamp(tt.flag, tt.variant, tt.base)
			if tt.want == nil && tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("%v, want %v saying %q", err, tt.want, tt.says)
			}
		})
	}
}

func TestEditsRefuseWhatMakesNoSense(t *testing.T) {
	f := mustParse(t, "f", featureAtRest)
	for name, e := range map[string]Edit{
		"share above all":    on(by(1), 10001),
		"share below 0":      on(by(1), -1),
		"no rollout":         on(Fence{}, 100),
		"a space in the id":  Kill{Fence: Fence{Rollout: "r 1"}},
		"generation too big": Kill{Fence: Fence{Rollout: "r", Generation: 1 << 63}},
		"kill to a version":  Kill{Fence: by(1), Base: "v1"},
	} {
		if _, err := e.Edit(f); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	numbers := mustParse(t, "f", `{"state":"ENABLED","variants":{"a":1},"defaultVariant":"a"}`)
	if _, err := (Kill{Fence: by(1)}).Edit(numbers); !errors.Is(err, ErrKind) {
		t.Errorf("kill of a number: %v", err)
	}
	nothing := handEdit(t, mustParse(t, "f", versionAtRest), `{"defaultVariant":null}`)
	if _, err := (Kill{Fence: by(1)}).Edit(nothing); !errors.Is(err, ErrBase) {
		t.Errorf("kill without any base: %v", err)
	}
	for _, e := range []Edit{on(by(1), 1), Kill{Fence: by(1)}, Reset{By: "a", Reason: "b"}} {
		if _, err := e.Edit(Flag{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%T of a missing flag: %v", e, err)
		}
	}
}

func TestNobodyLeavesWhileTheShareGrows(t *testing.T) {
	f := mustParse(t, "shop.new-checkout", featureAtRest)
	var steps []Flag
	for i, share := range []int{500, 2500, 5000, 10000} {
		f = edit(t, f, on(by(uint64(i+1)), share))
		steps = append(steps, f)
	}
	for i := range 20_000 {
		ctx, in := map[string]any{"targetingKey": fmt.Sprint("user-", i)}, false
		for step, f := range steps {
			now := f.Evaluate(ctx, at).Variant == On
			if in && !now {
				t.Fatalf("%v left at step %d", ctx, step)
			}
			in = now
		}
		if !in {
			t.Fatalf("%v is not in at the end", ctx)
		}
	}
}

func TestGrowingSharesKeepEveryUserWhoeverTheyAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := mustParse(t, rapid.StringMatching(`[a-z.-]{1,20}`).Draw(rt, "flag"), versionAtRest)
		low := rapid.IntRange(0, Total).Draw(rt, "low")
		high := rapid.IntRange(low, Total).Draw(rt, "high")
		user := rapid.String().Draw(rt, "user")
		a := edit(t, f, v2(by(1), low))
		b := edit(t, a, v2(by(2), high))
		ctx := map[string]any{"targetingKey": user}
		if a.Evaluate(ctx, at).Variant == "v2" && b.Evaluate(ctx, at).Variant != "v2" {
			rt.Fatalf("%q leaves between %d and %d", user, low, high)
		}
		if got, want := b.Evaluate(ctx, at).Variant, (Want{Variant: "v2", Base: "v1", Share: high}).For(f.Key(), user); got != want {
			rt.Fatalf("%q gets %s, Want says %s", user, got, want)
		}
	})
}

// Whatever edits come in whatever order, the flag stays one that flagd accepts, foreign fields stay, and a stopped
// rollout raises nothing again.
func TestAnyHistoryKeepsTheFlagSound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := mustParse(t, "f", `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","x":{"keep":[1.50]},"metadata":{"team":"shop"}}`)
		stopped := map[string]bool{}
		for range rapid.IntRange(1, 12).Draw(rt, "edits") {
			n := rapid.Uint64Range(1, 3).Draw(rt, "generation")
			fence := Fence{Rollout: fmt.Sprint("r-", n), Slot: "prod/shop", Generation: n, Seq: rapid.Uint64Range(1, 5).Draw(rt, "seq")}
			var e Edit
			switch rapid.IntRange(0, 3).Draw(rt, "edit") {
			case 0:
				e = Kill{Fence: fence}
			case 1:
				e = Reset{By: "ana", Reason: "fine"}
			default:
				e = on(fence, rapid.SampledFrom([]int{0, 500, 5000, 10000}).Draw(rt, "share"))
			}
			next, err := e.Edit(f)
			if err != nil {
				continue
			}
			if r, ok := e.(Ramp); ok && stopped[r.Rollout] {
				rt.Fatalf("%+v of a stopped rollout is accepted", r)
			}
			if k, ok := e.(Kill); ok {
				stopped[k.Rollout] = true
			}
			if f, err = Parse("f", next.Bytes()); err != nil {
				rt.Fatalf("an edit made %s: %v", next.Bytes(), err)
			}
			if f.Metadata()["team"] != "shop" || !strings.Contains(string(f.Bytes()), `"x":{"keep":[1.50]}`) {
				rt.Fatalf("lost a foreign field: %s", f.Bytes())
			}
		}
	})
}
