package launchdarkly

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/serin-cd/serin/flags"
)

// patch is a semantic patch: it is done as a whole, or not at all.
type patch struct {
	EnvironmentKey string        `json:"environmentKey"`
	Comment        string        `json:"comment"`
	Instructions   []instruction `json:"instructions"`

	kill bool
}

type instruction map[string]any

// steps translates the difference of two images into instructions for the environment; none when it serves that already.
func (v view) steps(now, next flags.Flag) ([]instruction, error) {
	switch {
	case next.Mark().Killed:
		return v.off(now, next)
	case serveSame(now, next):
		return nil, nil
	case len(v.others()) > 0:
		return nil, fmt.Errorf("flag %q: %w: found %v in LaunchDarkly; a percentage does not cover them: remove them, or do not ramp this flag",
			next.Key(), flags.ErrStranger, v.others())
	}
	serve, err := v.serve(next)
	if err != nil {
		return nil, err
	}
	steps := []instruction{serve}
	if !v.On {
		steps = append(steps, instruction{"kind": "turnFlagOn"})
	}
	return steps, nil
}

// serve is the default rule that serves what the image says.
func (v view) serve(next flags.Flag) (instruction, error) {
	const kind = "updateFallthroughVariationOrRollout"
	if next.Targeting() == nil {
		def, _ := next.Default()
		id, err := v.id(next, def)
		return instruction{"kind": kind, "variationId": id}, err
	}
	shares, err := readShares(next)
	if err != nil {
		return nil, err
	}
	weights := map[string]int{}
	for variant, share := range shares {
		id, err := v.id(next, variant)
		if err != nil {
			return nil, err
		}
		weights[id] = share * perBasisPoint
	}
	return instruction{"kind": kind, "rolloutContextKind": "user", "rolloutWeights": weights}, nil
}

// off turns targeting off. An off variation that is not the base is made the base before, and the share that Serin gave
// ends, so that who turns the flag on again does not bring it back.
func (v view) off(now, next flags.Flag) ([]instruction, error) {
	base, _ := next.Default()
	id, err := v.id(next, base)
	if err != nil {
		return nil, err
	}
	var steps []instruction
	if v.OffVariation == nil || v.name(*v.OffVariation) != base { // unset, each application would use the default of its own code
		steps = append(steps, instruction{"kind": "updateOffVariation", "variationId": id})
	}
	if v.On {
		steps = append(steps, instruction{"kind": "turnFlagOff"})
	}
	if m := now.Mark(); m.Rollout != "" && m.Share > 0 && !m.Killed {
		steps = append(steps, instruction{"kind": "updateFallthroughVariationOrRollout", "variationId": id})
	}
	return steps, nil
}

// isOff reports whether everybody gets the image's default, as targeting is off.
func (v view) isOff(next flags.Flag) bool {
	base, _ := next.Default()
	return !v.On && v.OffVariation != nil && v.name(*v.OffVariation) == base
}

func (v view) id(f flags.Flag, variant string) (string, error) {
	id, ok := v.ids[variant]
	if !ok || id == "" {
		return "", fmt.Errorf("flag %q: %w: LaunchDarkly has no variation %q", f.Key(), flags.ErrKind, variant)
	}
	return id, nil
}

// notes writes the mark, when it is not there as it should be.
func (v view) notes(environment string, next flags.Flag) ([]instruction, error) {
	pieces, err := cutMark(next)
	if err != nil || slices.Equal(slices.Sorted(slices.Values(v.pieces)), pieces) {
		return nil, err
	}
	kind := "addCustomProperties"
	if v.marked {
		kind = "replaceCustomProperties"
	}
	return []instruction{{"kind": kind, "key": propertyKey(environment), "name": "Serin in " + environment, "values": pieces}}, nil
}

// missing adds the versions that LaunchDarkly does not have.
func (v view) missing(next flags.Flag) ([]instruction, error) {
	var fields struct {
		Variants map[string]any `json:"variants"`
	}
	if err := json.Unmarshal(next.Bytes(), &fields); err != nil {
		return nil, fmt.Errorf("flag %q: %w", next.Key(), err)
	}
	var steps []instruction
	for _, name := range slices.Sorted(maps.Keys(fields.Variants)) {
		if _, ok := v.ids[name]; !ok {
			steps = append(steps, instruction{"kind": "addVariation", "value": fields.Variants[name], "name": name})
		}
	}
	return steps, nil
}

// readShares reads the only targeting Serin writes.
func readShares(f flags.Flag) (map[string]int, error) {
	var rule struct {
		Fractional [][2]any `json:"fractional"`
	}
	if err := json.Unmarshal(f.Targeting(), &rule); err != nil || len(rule.Fractional) != 2 {
		return nil, fmt.Errorf("flag %q: LaunchDarkly cannot serve the targeting %.200s", f.Key(), f.Targeting())
	}
	shares, sum := map[string]int{}, 0
	for _, bucket := range rule.Fractional {
		variant, _ := bucket[0].(string)
		share, _ := bucket[1].(float64)
		shares[variant] = int(share)
		sum += int(share)
	}
	if len(shares) != 2 || sum != flags.Total {
		return nil, fmt.Errorf("flag %q: LaunchDarkly cannot serve the targeting %.200s", f.Key(), f.Targeting())
	}
	return shares, nil
}

// serveSame reports whether two images give everybody the same.
func serveSame(a, b flags.Flag) bool {
	defA, okA := a.Default()
	defB, okB := b.Default()
	return a.Enabled() == b.Enabled() && okA == okB && defA == defB && reflect.DeepEqual(rule(a), rule(b))
}

// rule is the targeting as decoded: its text depends on who wrote it.
func rule(f flags.Flag) (v any) {
	_ = json.Unmarshal(f.Targeting(), &v) // parsed before, or absent
	return v
}

// comment is what LaunchDarkly's audit log will say.
func comment(m flags.Mark) string {
	what := fmt.Sprintf("%.2f %% of %s", float64(m.Share)/100, m.Variant)
	switch {
	case m.Killed:
		what = "taken back to " + m.Base
	case m.Variant == "" && m.ResetBy != "":
		what = fmt.Sprintf("released by %s: %s", m.ResetBy, m.Reason)
	}
	return fmt.Sprintf("Serin: rollout %s of %s, seq %d: %s", m.Rollout, m.Slot, m.Seq, what)
}
