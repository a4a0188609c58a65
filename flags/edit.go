package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// Why an edit is refused. The error says which flag, what was found, and what cures it.
var (
	ErrDisabled   = errors.New("the flag is DISABLED")
	ErrKind       = errors.New("the flag is of another kind")
	ErrStranger   = errors.New("the flag was edited by somebody else")
	ErrStale      = errors.New("the flag has a newer write")
	ErrLatched    = errors.New("the rollout was stopped on this flag")
	ErrNeedsReset = errors.New("the flag was turned off and waits for a person")
	ErrServed     = errors.New("the flag already serves it to everybody")
	ErrBase       = errors.New("the flag has no base to go back to")
)

// Edit is an absolute change of a flag: one of Ramp, Kill, Reset.
type Edit interface {
	// Edit returns the flag as it should be. The flag itself means that nothing is to be written.
	Edit(f Flag) (Flag, error)

	// insists says that the edit is tried again for as long as others write, rather than once.
	insists() bool
}

// served is a copy of f that serves what the mark says: ENABLED, with the mark's variants, targeting and default.
func (f Flag) served(m Mark) (Flag, error) {
	rule, def := m.serves()
	if rule == nil {
		rule = map[string]any{}
	}
	fields := maps.Clone(f.fields)
	fields["state"] = json.RawMessage(`"ENABLED"`)
	fields["targeting"] = marshal(rule)
	fields["defaultVariant"] = marshal(def)
	fields["metadata"] = m.into(fields["metadata"])
	if f.Kind() == Version {
		fields["variants"] = withVersions(fields["variants"], m.Variant, m.Base)
	}
	next, err := build(f.key, fields)
	if err != nil {
		return Flag{}, fmt.Errorf("edit: %w", err)
	}
	return next, nil
}

// withVersions adds the versions that are missing; a version's value is its name.
func withVersions(variants json.RawMessage, versions ...string) json.RawMessage {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(variants, &all) // build has parsed it
	for _, v := range versions {
		if _, ok := all[v]; !ok && v != "" {
			all[v] = marshal(v)
		}
	}
	return marshal(all)
}

// checkVersion refuses a variant that exists with another value: applications would be given something else.
func (f Flag) checkVersion(version string) error {
	if v, ok := f.variants[version]; ok && v != version {
		return fmt.Errorf("flag %q: %w: the value of variant %q is %q; the value of a version is its name", f.key, ErrKind, version, v)
	}
	return nil
}

// found describes what stands in the flag, for the person who has to sort it out.
func (f Flag) found() string {
	def := "no defaultVariant"
	if f.hasDefault {
		def = fmt.Sprintf("defaultVariant %q", f.def)
	}
	if f.targeting == nil {
		return def + " and no targeting"
	}
	return fmt.Sprintf("%s and targeting %.200s", def, f.fields["targeting"])
}
