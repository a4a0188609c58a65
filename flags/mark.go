package flags

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Fence orders the writes to a flag: within a slot a lower Generation, then a lower Seq, is refused.
type Fence struct {
	Rollout    string // the rollout that writes: no spaces
	Slot       string // environment/service; generations count the rollouts of one slot and mean nothing to another
	Generation uint64 // of the rollout in its slot; at most 2^63-1
	Seq        uint64 // of the exposure in its rollout; at most 2^63-1
}

// At is the fence with another Seq.
func (f Fence) At(seq uint64) Fence {
	f.Seq = seq
	return f
}

// compare orders two fences of one slot.
func (f Fence) compare(o Fence) int {
	return cmp.Or(cmp.Compare(f.Generation, o.Generation), cmp.Compare(f.Seq, o.Seq))
}

func (f Fence) validate() error {
	if f.Rollout == "" || strings.ContainsFunc(f.Rollout, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("rollout %q is no name of a rollout", f.Rollout)
	}
	if f.Generation > 1<<63-1 || f.Seq > 1<<63-1 {
		return errors.New("generation or seq is beyond 2^63-1")
	}
	return nil
}

// Mark is what Serin wrote on a flag last. It is kept in the flag's metadata, flat, in keys that begin with serin.
type Mark struct {
	Fence
	Variant string   // that ramps; "" after a kill
	Base    string   // that everybody else gets
	Share   int      // of Variant, 0 to 10000
	Also    Audience // that gets Variant as well; nil at 10000 and after a kill
	Was     Audience // that a kill took Variant from: its confirmation looks at them
	Killed  bool     // turned off; a feature flag needs a Reset
	Latched []string // rollouts that a kill has stopped for good, the last 8
	ResetBy string   // the person who released the latch last
	Reason  string   // that person's reason
}

const latchedKept = 8

// latch is the mark's list of stopped rollouts with one more.
func (m Mark) latch(rollout string) []string {
	if slices.Contains(m.Latched, rollout) {
		return m.Latched
	}
	all := append(slices.Clone(m.Latched), rollout)
	return all[max(0, len(all)-latchedKept):]
}

// describes reports whether the flag is just as the mark says it was written.
func (m Mark) describes(f Flag) bool {
	if m.Rollout == "" {
		return false
	}
	rule, def := m.serves()
	return f.hasDefault && f.def == def && (rule == nil) == (f.targeting == nil) && (rule == nil || m.targets(f, rule))
}

// targets reports whether the flag's targeting is the rule.
func (m Mark) targets(f Flag, rule map[string]any) bool {
	if len(m.Also) == 0 {
		return f.split.equal(plainSplit(rule))
	}
	var found map[string]any
	return json.Unmarshal(f.fields["targeting"], &found) == nil && reflect.DeepEqual(found, rule)
}

// serves is the targeting and the default variant that give the audience and Share to Variant and the rest to Base. At
// 10000 the default moves, so that users without a targeting key follow too.
func (m Mark) serves() (rule map[string]any, def string) {
	switch {
	case m.Share == Total && !m.Killed:
		return nil, m.Variant
	case !m.Ramps():
		return nil, m.Base
	case len(m.Also) == 0:
		return m.fraction().(map[string]any), m.Base
	default:
		return map[string]any{"if": []any{m.Also.condition(), m.Variant, m.fraction()}}, m.Base
	}
}

// fraction is what users outside the audience get.
func (m Mark) fraction() any {
	if m.Share == 0 {
		return m.Base
	}
	return map[string]any{"fractional": []any{
		[]any{m.Variant, float64(m.Share)}, []any{m.Base, float64(Total - m.Share)},
	}}
}

// Ramps reports whether some users get Variant and others Base.
func (m Mark) Ramps() bool {
	return !m.Killed && m.Share < Total && (m.Share > 0 || len(m.Also) > 0)
}

func readMark(metadata map[string]any) Mark {
	text := func(key string) string { s, _ := metadata["serin"+key].(string); return s }
	count := func(key string) uint64 { n, _ := metadata["serin"+key].(int64); return uint64(max(n, 0)) }
	killed, _ := metadata["serinKilled"].(bool)
	return Mark{
		Fence:   Fence{Rollout: text("Rollout"), Slot: text("Slot"), Generation: count("Generation"), Seq: count("Seq")},
		Variant: text("Variant"), Base: text("Base"), Share: int(count("Share")), Also: readAudience(text("Audience")), Was: readAudience(text("AudienceWas")), Killed: killed,
		Latched: strings.Fields(text("Latched")), ResetBy: text("ResetBy"), Reason: text("ResetReason"),
	}
}

// into writes the mark over the serin keys of metadata; the others stay as they were.
func (m Mark) into(metadata json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if metadata != nil {
		_ = json.Unmarshal(metadata, &fields) // build has parsed it
	}
	ours := map[string]any{
		"Rollout": m.Rollout, "Slot": m.Slot, "Generation": m.Generation, "Seq": m.Seq,
		"Variant": m.Variant, "Base": m.Base, "Share": m.Share, "Audience": m.Also.text(), "AudienceWas": m.Was.text(), "Killed": m.Killed,
		"Latched": strings.Join(m.Latched, " "), "ResetBy": m.ResetBy, "ResetReason": m.Reason,
	}
	maps.DeleteFunc(fields, func(key string, _ json.RawMessage) bool {
		_, known := ours[strings.TrimPrefix(key, "serin")]
		return strings.HasPrefix(key, "serin") && known
	})
	for key, v := range ours {
		if v != "" && v != false {
			fields["serin"+key] = marshal(v)
		}
	}
	return marshal(fields)
}
