package flags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Flag is one feature flag in flagd's flag-definition JSON. It is a value: edits return new ones, and nothing that is
// reachable from it is ever written to. The zero Flag stands for a missing one.
type Flag struct {
	key    string
	fields map[string]json.RawMessage // all of them, as written

	disabled   bool
	variants   map[string]any // decoded: all bool, string, float64 or map[string]any
	def        string
	hasDefault bool
	targeting  map[string]any // nil when absent or {}
	split      *split         // targeting, when it is a plain fractional
	metadata   map[string]any
	mark       Mark
}

// Parse reads the definition of the flag with that key: the value under the key in flagd's `flags` object. The key is
// the one applications evaluate by; it is part of the bucketing.
func Parse(key string, data []byte) (Flag, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return Flag{}, fmt.Errorf("parse flag %q: %w", key, err)
	}
	return build(key, fields)
}

// Key is the key applications evaluate the flag by.
func (f Flag) Key() string { return f.key }

// Exists reports whether the flag is there at all: the zero Flag is not.
func (f Flag) Exists() bool { return f.fields != nil }

// Bytes is the definition as JSON, its fields in alphabetical order.
func (f Flag) Bytes() []byte { return marshal(f.fields) }

// Enabled reports whether the flag's state is ENABLED.
func (f Flag) Enabled() bool { return f.Exists() && !f.disabled }

// Default is the name of the default variant, and whether there is one.
func (f Flag) Default() (variant string, ok bool) { return f.def, f.hasDefault }

// Variant is the value of a variant, and whether there is one of that name.
func (f Flag) Variant(name string) (value any, ok bool) {
	value, ok = f.variants[name]
	return value, ok
}

// Targeting is the targeting rule as written, nil when there is none.
func (f Flag) Targeting() json.RawMessage {
	if f.targeting == nil {
		return nil
	}
	return bytes.Clone(f.fields["targeting"])
}

// Metadata is a copy of the flag's metadata: strings, bools, int64 for whole numbers, else float64.
func (f Flag) Metadata() map[string]any { return maps.Clone(f.metadata) }

// Mark is what Serin wrote on the flag last; the zero Mark when it never wrote.
func (f Flag) Mark() Mark { return f.mark }

// Kind says what a flag can be used for.
type Kind string

// The kinds; the zero value is neither.
const (
	Other   Kind = ""
	Feature Kind = "feature" // a variant on that is true and a variant off that is false
	Version Kind = "version" // string variants: versions
)

// The variants of a feature flag.
const (
	On  = "on"
	Off = "off"
)

// Kind says what the flag can be used for.
func (f Flag) Kind() Kind {
	if f.variants[On] == true && f.variants[Off] == false {
		return Feature
	}
	for _, v := range f.variants {
		if _, ok := v.(string); !ok {
			return Other
		}
	}
	if f.Exists() {
		return Version
	}
	return Other
}

// marshal writes JSON without escaping what users wrote for HTML. Its inputs are maps of what was parsed before, and
// strings and numbers of ours: encoding them cannot fail.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("flags: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
