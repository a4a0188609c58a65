package flags

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// build reads and checks the fields; every Flag comes from here, also after an edit.
func build(key string, fields map[string]json.RawMessage) (Flag, error) {
	if fields == nil {
		return Flag{}, fmt.Errorf("parse flag %q: is null, needs an object", key)
	}
	f := Flag{key: key, fields: fields}
	for _, read := range []func() error{f.readState, f.readVariants, f.readDefault, f.readTargeting, f.readMetadata} {
		if err := read(); err != nil {
			return Flag{}, fmt.Errorf("parse flag %q: %w", key, err)
		}
	}
	return f, nil
}

func (f *Flag) readState() error {
	var state string
	if err := f.decode("state", &state); err != nil {
		return err
	}
	switch state {
	case "ENABLED":
	case "DISABLED":
		f.disabled = true
	default:
		return fmt.Errorf("state is %q, needs ENABLED or DISABLED", state)
	}
	return nil
}

func (f *Flag) readVariants() error {
	if err := f.decode("variants", &f.variants); err != nil {
		return err
	}
	if len(f.variants) == 0 {
		return errors.New("variants are empty: at least one is needed")
	}
	kinds := map[string]string{}
	for name, v := range f.variants {
		kind := typeName(v)
		if kind == "" {
			return fmt.Errorf("variant %q is neither boolean, string, number nor object", name)
		}
		kinds[kind] = name
	}
	if len(kinds) > 1 {
		var of []string
		for kind, name := range kinds {
			of = append(of, fmt.Sprintf("%q is a %s", name, kind))
		}
		slices.Sort(of)
		return fmt.Errorf("variants have several types: %s", strings.Join(of, ", "))
	}
	return nil
}

func typeName(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		return "number"
	case map[string]any:
		return "object"
	default:
		return ""
	}
}

// readDefault checks what flagd's schema does not: flagd refuses a whole document for one unknown default.
func (f *Flag) readDefault() error {
	if raw, ok := f.fields["defaultVariant"]; !ok || string(raw) == "null" {
		return nil
	}
	if err := f.decode("defaultVariant", &f.def); err != nil {
		return err
	}
	if _, ok := f.variants[f.def]; !ok {
		return fmt.Errorf("defaultVariant %q is not one of the variants", f.def)
	}
	f.hasDefault = true
	return nil
}

func (f *Flag) readTargeting() error {
	if _, ok := f.fields["targeting"]; !ok {
		return nil
	}
	var rule map[string]any
	if err := f.decode("targeting", &rule); err != nil {
		return err
	}
	if rule == nil {
		return errors.New("targeting is null, needs an object")
	}
	if len(rule) > 0 {
		f.targeting = ownOperators(rule).(map[string]any)
		f.split = plainSplit(rule)
	}
	return nil
}

func (f *Flag) readMetadata() (err error) {
	raw, ok := f.fields["metadata"]
	if !ok {
		return nil
	}
	if f.metadata, err = flatMetadata(raw); err != nil {
		return err
	}
	f.mark = readMark(f.metadata)
	return nil
}

// flatMetadata reads the metadata of a flag or of a document.
func flatMetadata(raw json.RawMessage) (map[string]any, error) {
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil || all == nil {
		return nil, fmt.Errorf("metadata is %.40s, needs an object", raw)
	}
	for name, v := range all {
		switch v := v.(type) {
		case string, bool:
		case json.Number:
			all[name] = number(v)
		default:
			return nil, fmt.Errorf("metadata %q is not a string, number or boolean", name)
		}
	}
	return all, nil
}

// number keeps whole numbers exact: a generation beyond 2^53 does not survive float64.
func number(n json.Number) any {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i
	}
	x, _ := n.Float64() // out of range: the nearest float64, ±Inf
	return x
}

func (f *Flag) decode(field string, into any) error {
	raw, ok := f.fields[field]
	if !ok {
		return fmt.Errorf("%s is missing", field)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}
