package flags

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Document is a whole flagd document: {"flags": {…}, "$evaluators": …, …}. It is a value, and keeps the text it was read
// from: what is not set anew stays as it was, byte for byte.
type Document struct {
	text       []byte
	flags      map[string]json.RawMessage
	evaluators map[string]json.RawMessage
	metadata   map[string]any
}

// ParseDocument reads a document and checks every flag in it, because flagd refuses a document for one bad flag. All
// that is wrong is in the error. [Document.Validate] checks what flagd's schema asks for besides.
func ParseDocument(data []byte) (Document, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return Document{}, fmt.Errorf("parse flag document: %w", err)
	}
	raw, ok := fields["flags"]
	if !ok {
		return Document{}, errors.New("parse flag document: flags is missing")
	}
	d := Document{text: bytes.Clone(data)}
	if err := json.Unmarshal(raw, &d.flags); err != nil || d.flags == nil {
		return Document{}, fmt.Errorf("parse flag document: flags is %.40s, needs an object", raw)
	}
	var errs []error
	for _, key := range d.Keys() {
		_, err := Parse(key, d.flags[key])
		errs = append(errs, err)
	}
	errs = append(errs, d.readEvaluators(fields), d.readMetadata(fields))
	if err := errors.Join(errs...); err != nil {
		return Document{}, err
	}
	return d, nil
}

// readEvaluators checks what flagd refuses a document for: an evaluator that is empty.
func (d *Document) readEvaluators(fields map[string]json.RawMessage) error {
	raw, ok := fields["$evaluators"]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, &d.evaluators); err != nil {
		return fmt.Errorf("parse flag document: $evaluators is %.40s, needs an object", raw)
	}
	for _, name := range sortedKeys(d.evaluators) {
		var rule map[string]json.RawMessage
		if err := json.Unmarshal(d.evaluators[name], &rule); err != nil || len(rule) == 0 {
			return fmt.Errorf("parse flag document: evaluator %q is %.40s, needs a rule", name, d.evaluators[name])
		}
	}
	return nil
}

func (d *Document) readMetadata(fields map[string]json.RawMessage) (err error) {
	if raw, ok := fields["metadata"]; ok {
		if d.metadata, err = flatMetadata(raw); err != nil {
			return fmt.Errorf("parse flag document: %w", err)
		}
	}
	return nil
}

// Keys are the flags' keys in alphabetical order.
func (d Document) Keys() []string { return sortedKeys(d.flags) }

// Flag is one flag of the document, as written; ErrNotFound. A $ref to one of the document's $evaluators is not
// replaced, and evaluates to PARSE_ERROR: see [Document.Resolve].
func (d Document) Flag(key string) (Flag, error) {
	raw, ok := d.flags[key]
	if !ok {
		return Flag{}, fmt.Errorf("flag %q: %w", key, ErrNotFound)
	}
	return Parse(key, raw)
}

// Metadata is a copy of the document's own metadata.
func (d Document) Metadata() map[string]any { return maps.Clone(d.metadata) }

// With is the document with the flag set under its key. Only the fields of the flag that differ are written anew.
func (d Document) With(f Flag) Document {
	next := d
	next.flags = maps.Clone(d.flags)
	if next.flags == nil {
		next.flags = map[string]json.RawMessage{}
		next.text = []byte(`{"flags":{}}`)
	}
	next.flags[f.key] = f.Bytes()
	next.text = must(next.set(f))
	return next
}

// set is the document's text with the flag set.
func (d Document) set(f Flag) ([]byte, error) {
	all, err := members(d.text)
	if err != nil {
		return nil, err
	}
	at, _ := find(all, "flags")
	object := d.text[at.from:at.to]
	inside, err := members(object)
	if err != nil {
		return nil, err
	}
	value := f.Bytes()
	if old, ok := find(inside, f.key); ok {
		if value, err = patched(object[old.from:old.to], f); err != nil {
			return nil, err
		}
	}
	return splice(d.text, at.from, at.to, setMember(object, inside, f.key, value)), nil
}

// must is for texts that were parsed before: reading them again cannot fail.
func must(text []byte, err error) []byte {
	if err != nil {
		panic("flags: " + err.Error())
	}
	return text
}

// Bytes is the document's text.
func (d Document) Bytes() []byte { return bytes.Clone(d.text) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
