package flags

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Document is a whole flagd document: {"flags": {…}, "$evaluators": …, …}. It is a value; unknown fields survive.
type Document struct {
	fields map[string]json.RawMessage
	flags  map[string]json.RawMessage
}

// ParseDocument reads a document and checks every flag in it, because flagd refuses a document for one bad flag. All
// that is wrong is in the error.
func ParseDocument(data []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(data, &d.fields); err != nil {
		return Document{}, fmt.Errorf("parse flag document: %w", err)
	}
	raw, ok := d.fields["flags"]
	if !ok {
		return Document{}, errors.New("parse flag document: flags is missing")
	}
	if err := json.Unmarshal(raw, &d.flags); err != nil || d.flags == nil {
		return Document{}, fmt.Errorf("parse flag document: flags is %.40s, needs an object", raw)
	}
	var errs []error
	for _, key := range d.Keys() {
		_, err := Parse(key, d.flags[key])
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Document{}, err
	}
	return d, nil
}

// Keys are the flags' keys in alphabetical order.
func (d Document) Keys() []string { return slices.Sorted(maps.Keys(d.flags)) }

// Flag is one flag of the document; ErrNotFound. Its targeting stands as written: a $ref to one of the document's
// $evaluators is not replaced, and evaluates to PARSE_ERROR.
func (d Document) Flag(key string) (Flag, error) {
	raw, ok := d.flags[key]
	if !ok {
		return Flag{}, fmt.Errorf("flag %q: %w", key, ErrNotFound)
	}
	return Parse(key, raw)
}

// With is the document with the flag set under its key.
func (d Document) With(f Flag) Document {
	flags := maps.Clone(d.flags)
	if flags == nil {
		flags = map[string]json.RawMessage{}
	}
	flags[f.key] = f.Bytes()
	fields := maps.Clone(d.fields)
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	fields["flags"] = marshal(flags)
	return Document{fields: fields, flags: flags}
}

// Bytes is the document as JSON, its fields in alphabetical order.
func (d Document) Bytes() []byte { return marshal(d.fields) }
