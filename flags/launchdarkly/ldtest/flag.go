package ldtest

import (
	"crypto/sha1" //nolint:gosec // LaunchDarkly's buckets are made of it; nothing is secret
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
)

// Flag is a flag with its settings in the one environment.
type Flag struct {
	Key        string
	Variations []any
	Properties map[string][]string // custom properties
	ClientSide bool                // available to SDKs using Client-side ID
	Archived   bool

	On            bool
	Off           *int // the off variation
	Fallthrough   Serve
	Targets       []Target
	Rules         []any
	Prerequisites []any

	version  uint64 // in the environment
	settings uint64 // of the flag
}

// Serve is one variation, or a rollout.
type Serve struct {
	Variation *int     `json:"variation,omitempty"`
	Rollout   *Rollout `json:"rollout,omitempty"`
}

// Rollout gives shares of the contexts of a kind to variations.
type Rollout struct {
	Kind        string   `json:"kind,omitempty"`
	ContextKind string   `json:"contextKind,omitempty"`
	BucketBy    string   `json:"bucketBy,omitempty"`
	Variations  []Weight `json:"variations"`
}

// Weight is a variation's part of a rollout, in thousandths of a percent.
type Weight struct {
	Variation int `json:"variation"`
	Weight    int `json:"weight"`
}

// Target gives a variation to users by their keys.
type Target struct {
	Variation int      `json:"variation"`
	Values    []string `json:"values"`
}

func (f *Flag) clone() *Flag {
	g := *f
	g.Variations = slices.Clone(f.Variations)
	g.Properties = map[string][]string{}
	for key, values := range f.Properties {
		g.Properties[key] = slices.Clone(values)
	}
	g.Targets, g.Rules, g.Prerequisites = slices.Clone(f.Targets), slices.Clone(f.Rules), slices.Clone(f.Prerequisites)
	return &g
}

func salt(key string) string { return "salt-of-" + key }

func id(f *Flag, index int) string { return fmt.Sprintf("%s-variation-%d", f.Key, index) }

// rest is the flag as the REST API shows it.
func (f *Flag) rest() map[string]any {
	variations := []any{}
	for i, v := range f.Variations {
		variations = append(variations, map[string]any{"_id": id(f, i), "value": v})
	}
	properties := map[string]any{}
	for key, values := range f.Properties {
		properties[key] = map[string]any{"name": key, "value": values}
	}
	env := f.environment()
	env["_environmentName"] = Environment
	return map[string]any{
		"key": f.Key, "_version": f.settings, "variations": variations, "customProperties": properties, "archived": f.Archived,
		"clientSideAvailability": map[string]bool{"usingEnvironmentId": f.ClientSide},
		"environments":           map[string]any{Environment: env},
	}
}

// sdk is the flag as server SDKs get it.
func (f *Flag) sdk() map[string]any {
	flag := f.environment()
	flag["key"], flag["variations"] = f.Key, f.Variations
	flag["clientSideAvailability"] = map[string]bool{"usingEnvironmentId": f.ClientSide}
	return flag
}

func (f *Flag) environment() map[string]any {
	env := map[string]any{
		"on": f.On, "version": f.version, "salt": salt(f.Key), "fallthrough": f.Fallthrough,
		"targets": slices.Concat([]Target{}, f.Targets), "rules": slices.Concat([]any{}, f.Rules),
		"prerequisites": slices.Concat([]any{}, f.Prerequisites), "contextTargets": []any{},
	}
	if f.Off != nil {
		env["offVariation"] = *f.Off
	}
	return env
}

// evaluate is the index of the variation a user gets, false for none.
func (f *Flag) evaluate(user string) (int, bool) {
	if !f.On {
		if f.Off == nil {
			return 0, false
		}
		return *f.Off, true
	}
	for _, t := range f.Targets {
		if slices.Contains(t.Values, user) {
			return t.Variation, true
		}
	}
	if f.Fallthrough.Variation != nil {
		return *f.Fallthrough.Variation, true
	}
	if f.Fallthrough.Rollout == nil || len(f.Fallthrough.Rollout.Variations) == 0 {
		return 0, false
	}
	at, sum, last := bucket(f.Key, user), float32(0), 0
	for _, w := range f.Fallthrough.Rollout.Variations {
		if sum += float32(w.Weight) / 100000; at < sum {
			return w.Variation, true
		}
		last = w.Variation
	}
	return last, true
}

// bucket is the place of a user in [0, 1], as LaunchDarkly's SDKs compute it.
func bucket(key, user string) float32 {
	sum := sha1.Sum([]byte(key + "." + salt(key) + "." + user)) //nolint:gosec // see the import
	n, err := strconv.ParseUint(hex.EncodeToString(sum[:])[:15], 16, 64)
	if err != nil { // fifteen hexadecimal digits
		panic("ldtest: " + err.Error())
	}
	return float32(n) / float32(0xFFFFFFFFFFFFFFF)
}
