package flags

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// entry is one member of a JSON object, and where it stands in the object's text.
type entry struct {
	key      string
	keyEnd   int // behind the key's closing quote
	from, to int // of the value, without the space around it
}

// members are those of a JSON object in the order of its text. Of two with one key the last one counts, as with every
// reader of such documents.
func members(object []byte) ([]entry, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%.40s is no object", object)
	}
	var all []entry
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		m := entry{key: key, keyEnd: int(dec.InputOffset())}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("read %q: %w", key, err)
		}
		m.to = int(dec.InputOffset())
		m.from = m.to - len(value)
		all = append(all, m)
	}
	return all, nil
}

// find is the last member with that key.
func find(all []entry, key string) (entry, bool) {
	for _, m := range slices.Backward(all) {
		if m.key == key {
			return m, true
		}
	}
	return entry{}, false
}

// setMember is the text of an object with one member set: in its place, or behind the last one, spaced as the first one
// is. All other bytes stay as they are.
func setMember(object []byte, all []entry, key string, value []byte) []byte {
	if m, ok := find(all, key); ok {
		return splice(object, m.from, m.to, value)
	}
	quoted := marshal(key)
	if len(all) == 0 {
		return splice(object, 0, len(object), join([]byte("{"), quoted, []byte(":"), value, []byte("}")))
	}
	first, last := all[0], all[len(all)-1]
	lead := object[1:bytes.IndexByte(object, '"')]
	return splice(object, last.to, last.to, join([]byte(","), lead, quoted, object[first.keyEnd:first.from], value))
}

func splice(text []byte, from, to int, by []byte) []byte { return join(text[:from], by, text[to:]) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// patched is the text of a flag changed so that it says what f says, field by field. A text that has a field which f has
// not is written anew.
func patched(text []byte, f Flag) ([]byte, error) {
	all, err := members(text)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if _, kept := f.fields[m.key]; !kept {
			return f.Bytes(), nil
		}
	}
	for _, key := range sortedKeys(f.fields) {
		value := marshal(f.fields[key])
		if m, ok := find(all, key); ok && bytes.Equal(marshal(json.RawMessage(text[m.from:m.to])), value) {
			continue
		}
		text = setMember(text, all, key, value)
		if all, err = members(text); err != nil {
			return nil, err
		}
	}
	return text, nil
}
