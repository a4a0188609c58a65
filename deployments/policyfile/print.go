package policyfile

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// YAML is the document as a file. Comments tell of the defaults that cannot be written: whose Prometheus it is, and
// alert_after, which is one time where it is written, and two where it is not.
func (d Document) YAML() ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(d); err != nil {
		return nil, err
	}
	if d.Prometheus == nil {
		comment(&root, "traffic", "prometheus: the daemon's own")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		for _, item := range root.Content[i+1].Content {
			switch root.Content[i].Value {
			case "steps", "freeze":
				item.Style = yaml.FlowStyle
			case "rules":
				if !has(item, "alert_after") {
					comment(item, "on_data_lost", "alert_after: 10m, and 5m while Prometheus does not answer")
				}
			}
		}
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

func has(mapping *yaml.Node, key string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return true
		}
	}
	return false
}

// comment puts a comment above a key.
func comment(mapping *yaml.Node, key, text string) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i].HeadComment = text
		}
	}
}

// MarshalYAML writes one pattern bare.
func (p Patterns) MarshalYAML() (any, error) {
	if len(p) == 1 {
		return p[0], nil
	}
	return []Text(p), nil
}

// MarshalYAML writes the word or the mapping.
func (a Action) MarshalYAML() (any, error) {
	if a.Rollback {
		return "rollback", nil
	}
	type mapping Action // without this method
	return mapping(a), nil
}

// MarshalYAML writes the word or the mapping.
func (r Ready) MarshalYAML() (any, error) {
	if r.None {
		return "none", nil
	}
	type mapping Ready // without this method
	return mapping(r), nil
}
