package launchdarkly

import (
	"encoding/json"
	"fmt"

	"github.com/serin-cd/serin/flags"
)

// perBasisPoint is LaunchDarkly's weight of one basis point.
const perBasisPoint = 10

// image says in flagd's terms what LaunchDarkly serves.
func (v view) image(key string) (flags.Flag, error) {
	metadata := readMark(v.pieces)
	mark, err := v.parse(key, map[string]any{"state": "ENABLED", "variants": v.values, "metadata": metadata})
	if err != nil {
		return flags.Flag{}, err
	}
	def, rule := v.serves(mark.Mark())
	state := "ENABLED"
	fields := map[string]any{"variants": v.values, "metadata": metadata, "targeting": map[string]any{}}
	if rule != nil {
		fields["targeting"] = rule
	}
	if def == "" {
		state = "DISABLED" // off without an off variation: each application uses the default of its own code
	} else {
		fields["defaultVariant"] = def
	}
	fields["state"] = state
	return v.parse(key, fields)
}

func (view) parse(key string, fields map[string]any) (flags.Flag, error) {
	data, err := json.Marshal(fields)
	if err != nil {
		return flags.Flag{}, fmt.Errorf("flag %q: %w", key, err)
	}
	return flags.Parse(key, data)
}

// serves is the image's default variant and its targeting, nil for none.
func (v view) serves(m flags.Mark) (def string, rule map[string]any) {
	switch {
	case v.On:
		def, rule = v.fallsThrough(m)
	case v.OffVariation != nil:
		def = v.name(*v.OffVariation)
	default:
		return "", nil
	}
	if others := v.others(); len(others) > 0 { // also while off: they would come to life with a ramp
		rule = map[string]any{"launchdarkly": others}
	}
	return def, rule
}

// fallsThrough is what the default rule serves: one variation, or shares of two.
func (v view) fallsThrough(m flags.Mark) (def string, rule map[string]any) {
	if v.Fallthrough.Variation != nil {
		return v.name(*v.Fallthrough.Variation), nil
	}
	first, second, ok := v.twoShares()
	switch {
	case !ok:
		return v.rest(m), map[string]any{"launchdarkly": map[string]any{"rollout": v.Fallthrough.Rollout}}
	case second.Weight == 0:
		return v.name(first.Variation), nil
	case v.name(second.Variation) == m.Variant || v.name(first.Variation) == m.Base:
		first, second = second, first
	}
	a, b, unit := first.Weight, second.Weight, 1
	if a%perBasisPoint == 0 && b%perBasisPoint == 0 {
		unit = perBasisPoint
	}
	return v.name(second.Variation), map[string]any{"fractional": []any{
		[]any{v.name(first.Variation), a / unit}, []any{v.name(second.Variation), b / unit},
	}}
}

// rest is a variant to name as the default where the rollout is none of ours.
func (v view) rest(m flags.Mark) string {
	switch {
	case m.Base != "" && v.ids[m.Base] != "":
		return m.Base
	case v.OffVariation != nil:
		return v.name(*v.OffVariation)
	}
	return v.name(0)
}

// twoShares are the weights of a rollout over one or two variations, by the key of users.
func (v view) twoShares() (first, second wireWeight, ok bool) {
	r := v.Fallthrough.Rollout
	if r == nil || r.Kind != "" && r.Kind != "rollout" || r.BucketBy != "" && r.BucketBy != "key" ||
		r.ContextKind != "" && r.ContextKind != "user" || r.Seed != nil {
		return first, second, false
	}
	var some []wireWeight
	for _, w := range r.Variations {
		if w.Weight > 0 && v.name(w.Variation) != "" {
			some = append(some, w)
		}
	}
	switch len(some) {
	case 1:
		return some[0], wireWeight{}, true
	case 2:
		return some[0], some[1], true
	default:
		return first, second, false
	}
}
