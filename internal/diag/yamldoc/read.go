package yamldoc

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/diag"
)

// Map is a YAML mapping whose keys have been checked.
type Map struct {
	Value
	keys    map[string]Value
	places  map[string]Value
	strange bool
}

// Map reads the value as a mapping that may have the known keys. An unknown or repeated key, and a value that is no
// mapping, are findings; what was understood is returned all the same.
func (v Value) Map(known ...string) Map { return v.MapWith(nil, known...) }

// MapWith is Map with cures for unknown keys that people write for a known one, or that belong elsewhere.
func (v Value) MapWith(cures map[string]string, known ...string) Map {
	m := Map{Value: v, keys: map[string]Value{}, places: map[string]Value{}}
	if !v.Exists() {
		return m
	}
	node := resolve(v.node)
	if node.Kind != yaml.MappingNode {
		v.Errorf("write it as `key: value` lines"+keyList("; ", known), "is %s, needs a mapping", kind(node))
		return m
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		m.add(node.Content[i], node.Content[i+1], known, cures)
	}
	return m
}

func (m *Map) add(at, value *yaml.Node, known []string, cures map[string]string) {
	key := resolve(at)
	place := Value{file: m.file, node: at, path: m.path}
	if key.Tag == "!!merge" {
		m.strange = true
		place.Errorf("write the keys out", "merge keys (<<) are not read")
		return
	}
	if key.Kind != yaml.ScalarNode {
		m.strange = true
		place.Errorf(keyList("", known), "a key is %s, needs text", kind(key))
		return
	}
	if !slices.Contains(known, key.Value) {
		m.strange = true
		place.Errorf(cmp.Or(cures[key.Value], diag.Suggest(key.Value, known)), "unknown key %q", key.Value)
		return
	}
	if _, twice := m.keys[key.Value]; twice {
		place.Errorf("keep one of them", "key %q is written twice", key.Value)
		return
	}
	m.places[key.Value] = place
	m.keys[key.Value] = Value{file: m.file, node: value, path: join(m.path, key.Value)}
}

// Has reports whether the key was written.
func (m Map) Has(key string) bool { return m.keys[key].Exists() }

// keyList names the known keys, where there are any.
func keyList(before string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	return before + "known keys: " + strings.Join(known, ", ")
}

// Strange reports whether the mapping has unknown keys. One of them may be a missing key misspelt: who looks for missing
// keys asks first, so that one fault is told once.
func (m Map) Strange() bool { return m.strange }

// Get is the key's value; an absent one does not Exist, but knows where it would have stood.
func (m Map) Get(key string) Value {
	if v, ok := m.keys[key]; ok {
		return v
	}
	return Value{file: m.file, path: join(m.path, key)}
}

// Key is the key itself, for findings about its presence.
func (m Map) Key(key string) Value { return m.places[key] }

// Keys reads the value as a mapping with free keys, in the order written.
func (v Value) Keys() []string {
	if !v.Exists() || resolve(v.node).Kind != yaml.MappingNode {
		return nil
	}
	var keys []string
	for i, n := range resolve(v.node).Content {
		if i%2 == 0 {
			keys = append(keys, resolve(n).Value)
		}
	}
	return keys
}

// IsMap reports whether the value is a mapping, IsList whether it is a list.
func (v Value) IsMap() bool { return v.Exists() && resolve(v.node).Kind == yaml.MappingNode }

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.Exists() && resolve(v.node).Kind == yaml.SequenceNode }

// List reads the value as a list; anything else is a finding.
func (v Value) List() []Value {
	if !v.Exists() {
		return nil
	}
	node := resolve(v.node)
	if node.Kind != yaml.SequenceNode {
		v.Errorf("write it as a list: `- item` lines or [item, item]", "is %s, needs a list", kind(node))
		return nil
	}
	items := make([]Value, len(node.Content))
	for i, n := range node.Content {
		items[i] = Value{file: v.file, node: n, path: fmt.Sprintf("%s[%d]", v.path, i)}
	}
	return items
}

// String reads a scalar as text. It is "" and false when absent or, with a finding, no scalar or empty.
func (v Value) String() (string, bool) {
	if !v.Exists() {
		return "", false
	}
	node := resolve(v.node)
	if node.Kind != yaml.ScalarNode {
		cure := "write one value"
		if node.Style&yaml.FlowStyle != 0 && node.Kind == yaml.MappingNode { // {{service}}, {job="a"}
			cure = "put text that begins with { into single quotes, or write one value"
		}
		v.Errorf(cure, "is %s, needs text", kind(node))
		return "", false
	}
	if node.Tag == "!!null" || strings.TrimSpace(node.Value) == "" {
		v.Errorf("write a value, or remove the key", "is empty")
		return "", false
	}
	return node.Value, true
}

// Word reads one of a closed list of words.
func (v Value) Word(known ...string) (string, bool) {
	s, ok := v.String()
	if !ok {
		return "", false
	}
	if !slices.Contains(known, s) {
		v.Errorf(diag.Choose(s, known), "%q is not one of %s", s, strings.Join(known, ", "))
		return "", false
	}
	return s, true
}

// Bool reads true or false.
func (v Value) Bool() (value, ok bool) {
	s, ok := v.Word("true", "false")
	return s == "true", ok
}

// Duration reads a duration in Prometheus' notation (30s, 5m, 1h30m, 500ms); 0 and 0s are zero.
func (v Value) Duration() (time.Duration, bool) {
	s, ok := v.String()
	if !ok {
		return 0, false
	}
	d, err := model.ParseDuration(s)
	if err != nil {
		v.Errorf("write a number and a unit, as in 30s, 5m, 1h30m", "%q is no duration", s)
		return 0, false
	}
	return time.Duration(d), true
}

// Number reads a finite number, or a percentage: 5% is 0.05.
func (v Value) Number() (float64, bool) {
	s, ok := v.String()
	if !ok {
		return 0, false
	}
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		v.Errorf("write a number, as in 0.05, or a percentage, as in 5%", "%q is no number", s)
		return 0, false
	}
	if percent {
		n /= 100
	}
	return n, true
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return fmt.Sprintf("%q", n.Value)
	default:
		return "nothing readable"
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
