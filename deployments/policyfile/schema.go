package policyfile

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// node is a part of a JSON Schema of draft 7, which is what editors know best.
type node struct {
	Schema               string           `json:"$schema,omitempty"`
	Title                string           `json:"title,omitempty"`
	Description          string           `json:"description,omitempty"`
	Type                 any              `json:"type,omitempty"` // a name, or several
	Enum                 []any            `json:"enum,omitempty"`
	Pattern              string           `json:"pattern,omitempty"`
	MinLength            int              `json:"minLength,omitempty"`
	Minimum              *float64         `json:"minimum,omitempty"`
	ExclusiveMinimum     *float64         `json:"exclusiveMinimum,omitempty"`
	Maximum              *float64         `json:"maximum,omitempty"`
	Required             []string         `json:"required,omitempty"`
	Properties           map[string]*node `json:"properties,omitempty"`
	AdditionalProperties any              `json:"additionalProperties,omitempty"` // false, or what they are
	MinProperties        int              `json:"minProperties,omitempty"`
	MaxProperties        int              `json:"maxProperties,omitempty"`
	Items                *node            `json:"items,omitempty"`
	MinItems             int              `json:"minItems,omitempty"`
	MaxItems             int              `json:"maxItems,omitempty"`
	AnyOf                []*node          `json:"anyOf,omitempty"`
	OneOf                []*node          `json:"oneOf,omitempty"`
	Not                  *node            `json:"not,omitempty"`
	Default              any              `json:"default,omitempty"`
}

// shaped is a type that says more of its schema than its fields do.
type shaped interface{ shape(n *node) }

// Schema is the JSON Schema of a policy, as editors use it.
func Schema() []byte {
	return text(reflect.TypeFor[Document](), "Serin policy",
		"For a service: who moves its traffic, in which steps, by which rules. `serin check` says what is wrong with a policy, and what cures it.")
}

// TestsSchema is the JSON Schema of a file of tests, as editors use it.
func TestsSchema() []byte {
	return text(reflect.TypeFor[Tests](), "Tests of a Serin policy",
		"Releases that meet written series, and what the policy shall make of them. `serin test` runs them.")
}

func text(t reflect.Type, title, description string) []byte {
	n := schemaOf(t)
	n.Schema, n.Title, n.Description = "http://json-schema.org/draft-07/schema#", title, description
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		panic(err) // it holds nothing but texts and numbers
	}
	return append(text, '\n')
}

func schemaOf(t reflect.Type) *node {
	n := &node{}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		n = schemaOfStruct(t)
	case reflect.Slice:
		n.Type, n.Items = "array", schemaOf(t.Elem())
	case reflect.Map:
		n.Type, n.AdditionalProperties = "object", schemaOf(t.Elem())
	case reflect.String:
		n.Type, n.MinLength = "string", 1
	}
	if s, ok := reflect.TypeAssert[shaped](reflect.Zero(t)); ok {
		n.MinLength = 0
		s.shape(n)
	}
	return n
}

func schemaOfStruct(t reflect.Type) *node {
	n := &node{Type: "object", Properties: map[string]*node{}, AdditionalProperties: false}
	for _, f := range keysOf(t) {
		key := keyOf(f)
		n.Properties[key] = schemaOfField(f)
		if f.Tag.Get("required") == "true" {
			n.Required = append(n.Required, key)
		}
	}
	return n
}

// schemaOfField is the schema of a key: of its type, and what its tags say.
func schemaOfField(f reflect.StructField) *node {
	n := schemaOf(f.Type)
	n.Description = f.Tag.Get("doc")
	if d := f.Tag.Get("default"); d != "" {
		n.Description += " Default: " + d + "."
	}
	if p := f.Tag.Get("pattern"); p != "" {
		n.Pattern, n.MinLength = p, 0
	}
	if words := f.Tag.Get("enum"); words != "" {
		n.MinLength, n.Enum = 0, nil
		for word := range strings.SplitSeq(words, ",") {
			if f.Type == reflect.TypeFor[Bool]() {
				n.Enum = append(n.Enum, word == "true")
			}
			n.Enum = append(n.Enum, word)
		}
	}
	n.MinItems, _ = strconv.Atoi(f.Tag.Get("min")) // without the tag it is 0
	n.MaxItems, _ = strconv.Atoi(f.Tag.Get("max"))
	return n
}

// keysOf are the fields that a mapping's keys stand for, those of inlined structs among them.
func keysOf(t reflect.Type) []reflect.StructField {
	var out []reflect.StructField
	for f := range t.Fields() {
		switch {
		case strings.HasSuffix(f.Tag.Get("yaml"), ",inline"):
			out = append(out, keysOf(f.Type)...)
		case keyOf(f) != "-":
			out = append(out, f)
		}
	}
	return out
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}
