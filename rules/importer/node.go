package importer

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// mapping is a YAML mapping with its merge keys (<<) resolved, as Prometheus resolves them.
type mapping struct {
	line   int
	fields []field
	index  map[string]int // of fields, by key
	twice  string         // a key that is written twice
	odd    bool           // a key is no text
}

type field struct{ key, value *yaml.Node }

// mapping reads a node; what is no mapping has no fields.
func (r *reader) mapping(n *yaml.Node) mapping {
	m := mapping{line: n.Line, index: map[string]int{}}
	r.merge(&m, n, 0)
	return m
}

// merge adds the fields of n: those that are written beside a merge key win over those it brings.
func (r *reader) merge(m *mapping, n *yaml.Node, depth int) {
	if n = resolve(n); n.Kind != yaml.MappingNode || !r.within(n, depth) {
		return
	}
	own := map[string]bool{}
	for _, pass := range []bool{false, true} {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := resolve(n.Content[i]), n.Content[i+1]
			switch merges := key.Tag == "!!merge"; {
			case merges != pass:
			case merges:
				r.mergeAll(m, value, depth+1)
			case key.Kind != yaml.ScalarNode:
				m.odd = true
			case own[key.Value]:
				m.twice = key.Value
			case !m.has(key.Value):
				own[key.Value] = true
				m.index[key.Value] = len(m.fields)
				m.fields = append(m.fields, field{key, value})
			}
		}
	}
}

// mergeAll merges a mapping, or a list of them.
func (r *reader) mergeAll(m *mapping, value *yaml.Node, depth int) {
	if value = resolve(value); value.Kind != yaml.SequenceNode {
		r.merge(m, value, depth)
		return
	}
	for _, item := range value.Content {
		r.merge(m, item, depth)
	}
}

func (m mapping) value(key string) *yaml.Node {
	if i, ok := m.index[key]; ok {
		return m.fields[i].value
	}
	return nil
}

func (m mapping) has(key string) bool { return m.value(key) != nil }

// keyLine is the line of a key, or of the mapping.
func (m mapping) keyLine(keys ...string) int {
	for _, key := range keys {
		if i, ok := m.index[key]; ok {
			return m.fields[i].key.Line
		}
	}
	return m.line
}

// scalar reports whether the key has a single value that is not empty.
func (m mapping) scalar(key string) bool { return m.text(key) != "" }

// text is a single value; "" where there is none.
func (m mapping) text(key string) string {
	if n := resolve(m.value(key)); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// list is a list, or nil.
func (m mapping) list(key string) *yaml.Node {
	if n := resolve(m.value(key)); n != nil && n.Kind == yaml.SequenceNode {
		return n
	}
	return nil
}

// texts reads a mapping of texts, and names a key whose value is none.
func (m mapping) texts() (out map[string]string, wrong string) {
	out = map[string]string{}
	for _, f := range m.fields {
		n := resolve(f.value)
		switch {
		case n.Kind != yaml.ScalarNode:
			wrong = f.key.Value
		case n.Tag == "!!null":
			out[f.key.Value] = ""
		default:
			out[f.key.Value] = n.Value
		}
	}
	if m.twice != "" {
		wrong = m.twice
	}
	return out, wrong
}

// resolve follows aliases.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func itoa(n int) string { return strconv.Itoa(n) }
