package flags

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Resolve is the flag as it is evaluated: every {"$ref": "name"} in its targeting is replaced by that evaluator of the
// document, once and not inside evaluators, as flagd does; a name that the document does not have stays, and evaluates
// to PARSE_ERROR. Its Metadata is the document's, overlaid by its own. It is for evaluation: Bytes, Targeting and every
// edit keep what was written.
func (d Document) Resolve(key string) (Flag, error) {
	f, err := d.Flag(key)
	if err != nil {
		return Flag{}, err
	}
	if f.targeting != nil && len(d.evaluators) > 0 {
		rule, err := d.dereferenced(f)
		if err != nil {
			return Flag{}, err
		}
		f.targeting, f.split = ownOperators(rule).(map[string]any), plainSplit(rule)
	}
	if len(d.metadata) > 0 {
		all := maps.Clone(d.metadata)
		maps.Copy(all, f.metadata)
		f.metadata = all
	}
	return f, nil
}

func (d Document) dereferenced(f Flag) (map[string]any, error) {
	var rule map[string]any
	if err := json.Unmarshal(f.fields["targeting"], &rule); err != nil {
		return nil, fmt.Errorf("flag %q: targeting: %w", f.key, err)
	}
	rules := make(map[string]any, len(d.evaluators))
	for name, raw := range d.evaluators {
		var rule map[string]any
		if err := json.Unmarshal(raw, &rule); err != nil {
			return nil, fmt.Errorf("evaluator %q: %w", name, err)
		}
		rules[name] = rule
	}
	return replaceRefs(rule, rules).(map[string]any), nil
}

// replaceRefs is a rule with the references to the rules replaced. The whole rule may be one.
func replaceRefs(rule any, rules map[string]any) any {
	switch rule := rule.(type) {
	case map[string]any:
		if name, ok := reference(rule); ok && rules[name] != nil {
			return rules[name]
		}
		out := make(map[string]any, len(rule))
		for op, args := range rule {
			out[op] = replaceRefs(args, rules)
		}
		return out
	case []any:
		out := make([]any, len(rule))
		for i, arg := range rule {
			out[i] = replaceRefs(arg, rules)
		}
		return out
	default:
		return rule
	}
}

// reference is the name in a rule that is {"$ref": name} and nothing else.
func reference(rule map[string]any) (name string, ok bool) {
	name, ok = rule["$ref"].(string)
	return name, ok && len(rule) == 1
}
