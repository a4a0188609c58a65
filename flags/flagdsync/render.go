package flagdsync

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/serin-cd/serin/flags"
)

// RevisionKey is the flag metadata that holds the revision a definition was read at.
const RevisionKey = "serinRevision"

// render is the flagd document of an environment.
func render(all Flags, environment string) string {
	definitions := map[string]json.RawMessage{}
	for _, name := range all.Names() {
		env, key := flags.SplitKey(name)
		if env != environment {
			continue
		}
		if f, revision, err := all.Flag(name); err == nil {
			definitions[key] = definition(f, revision)
		}
	}
	return string(encode(map[string]any{
		"$schema":  "https://flagd.dev/schema/v0/flags.json",
		"flags":    definitions,
		"metadata": map[string]string{"flagSetId": environment},
	}))
}

// definition is the flag without what Serin notes on it, and with its revision.
func definition(f flags.Flag, revision uint64) json.RawMessage {
	fields, notes := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	_ = json.Unmarshal(f.Bytes(), &fields) // flags has parsed both
	if raw, ok := fields["metadata"]; ok {
		_ = json.Unmarshal(raw, &notes)
	}
	for key := range notes {
		if strings.HasPrefix(key, "serin") {
			delete(notes, key)
		}
	}
	notes[RevisionKey] = encode(revision)
	fields["metadata"] = encode(notes)
	return encode(fields)
}

// encode writes what was JSON before, texts and numbers, which cannot fail, without escaping it for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("flagdsync: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
