package launchdarkly

import (
	"encoding/json"
	"fmt"

	"github.com/serin-cd/serin/flags"
)

// wireFlag is what the REST API says of a flag, as far as it matters here.
type wireFlag struct {
	Version          uint64                     `json:"_version"`
	Archived         bool                       `json:"archived"`
	Variations       []wireVariation            `json:"variations"`
	CustomProperties map[string]wireProperty    `json:"customProperties"`
	Environments     map[string]wireEnvironment `json:"environments"`
}

type wireVariation struct {
	ID    string `json:"_id"`
	Value any    `json:"value"`
}

type wireProperty struct {
	Value []string `json:"value"`
}

type wireEnvironment struct {
	On             bool              `json:"on"`
	Version        uint64            `json:"version"`
	OffVariation   *int              `json:"offVariation"`
	Fallthrough    wireServe         `json:"fallthrough"`
	Targets        []wireTarget      `json:"targets"`
	ContextTargets []wireTarget      `json:"contextTargets"`
	Rules          []json.RawMessage `json:"rules"`
	Prerequisites  []json.RawMessage `json:"prerequisites"`
}

type wireTarget struct {
	Values []string `json:"values"`
}

type wireServe struct {
	Variation *int         `json:"variation"`
	Rollout   *wireRollout `json:"rollout"`
}

type wireRollout struct {
	Kind        string       `json:"kind,omitempty"`
	BucketBy    string       `json:"bucketBy,omitempty"`
	ContextKind string       `json:"contextKind,omitempty"`
	Seed        *int64       `json:"seed,omitempty"`
	Variations  []wireWeight `json:"variations"`
}

type wireWeight struct {
	Variation int `json:"variation"`
	Weight    int `json:"weight"` // in thousandths of a percent
}

// view is a flag in one environment, its variations named as the image's variants.
type view struct {
	wireEnvironment
	flagVersion uint64
	ids         map[string]string // by variant
	names       []string          // by index
	values      map[string]any    // by variant
	pieces      []string          // of the mark
	marked      bool              // the property of the mark exists
}

// look takes a flag's answer apart.
func look(f wireFlag, environment string) (view, error) {
	env, ok := f.Environments[environment]
	switch {
	case f.Archived:
		return view{}, fmt.Errorf("%w: it is archived; restore it in LaunchDarkly", flags.ErrNotFound)
	case !ok:
		return view{}, fmt.Errorf("%w: the answer has no environment %q; name one by its key, and let the token read it", flags.ErrNotFound, environment)
	}
	v := view{wireEnvironment: env, flagVersion: f.Version, ids: map[string]string{}, values: map[string]any{}}
	for _, variation := range f.Variations {
		name, err := variant(variation.Value)
		if err != nil {
			return view{}, err
		}
		v.names = append(v.names, name)
		v.ids[name], v.values[name] = variation.ID, variation.Value
	}
	property, ok := f.CustomProperties[propertyKey(environment)]
	v.pieces, v.marked = property.Value, ok
	return v, nil
}

// variant names a variation by its value.
func variant(value any) (string, error) {
	switch value := value.(type) {
	case bool:
		if value {
			return flags.On, nil
		}
		return flags.Off, nil
	case string:
		return value, nil
	default:
		return "", fmt.Errorf("%w: a variation is %.40v; use a boolean flag, or one of strings that are versions", flags.ErrKind, value)
	}
}

// name is the variant at an index, "" when there is none.
func (v view) name(index int) string {
	if index < 0 || index >= len(v.names) {
		return ""
	}
	return v.names[index]
}

// revision changes with every change of the flag, in this environment or in what all have in common.
func (v view) revision() uint64 { return v.Version<<32 | v.flagVersion&(1<<32-1) }

// environmentVersion is the version that evaluations report.
func environmentVersion(revision uint64) uint64 { return revision >> 32 }

// others is what decides over users besides the default rule: how many of each.
func (v view) others() map[string]int {
	found := map[string]int{}
	for _, t := range v.Targets {
		found["targets"] += len(t.Values)
	}
	contexts := 0 // LaunchDarkly repeats the targets of users in contextTargets, there without values
	for _, t := range v.ContextTargets {
		contexts += len(t.Values)
	}
	found["targets"] += contexts
	found["rules"], found["prerequisites"] = len(v.Rules), len(v.Prerequisites)
	for name, n := range found {
		if n == 0 {
			delete(found, name)
		}
	}
	return found
}
