package policyfile

import "github.com/serin-cd/serin/rules"

// What a schema knows of keys that need or refuse one another. It is no more than an editor can use while a person
// types: that a rule is one of its forms, that there is one mover.

func (Prometheus) shape(n *node) {
	object := *n
	*n = node{AnyOf: []*node{{Type: "string", Pattern: `^https?://.`}, &object}}
}

func (Traffic) shape(n *node) {
	n.OneOf = []*node{needs("version_flag"), needs("flag"), needs("event"), needs("exec"), needs("observe")}
}

func (Step) shape(n *node) {
	n.AnyOf = []*node{needs("weight"), needs("audience")}
	n.Properties["audience"].MinProperties = 1
	weight, object := &node{}, *n
	Weight("").shape(weight)
	*n = node{AnyOf: []*node{weight, &object}}
}

func (Patterns) shape(n *node) {
	one, list := &node{}, *n
	Text("").shape(one)
	list.MinItems = 1
	*n = node{AnyOf: []*node{one, &list}}
}

func (Action) shape(n *node) {
	n.MinProperties, n.MaxProperties = 1, 2
	object := *n
	*n = node{AnyOf: []*node{{Type: "string", Enum: []any{"rollback"}}, &object}}
}

func (Ready) shape(n *node) {
	n.Not = needs("query", "http")
	object := *n
	*n = node{AnyOf: []*node{{Type: "string", Enum: []any{"none"}}, &object}}
}

func (Freeze) shape(n *node) { n.OneOf = []*node{needs("open", "for"), needs("from", "to")} }

func (Compare) shape(n *node) { n.AnyOf = []*node{needs("max_ratio"), needs("max_increase")} }

func (Rule) shape(n *node) {
	share := func() *node {
		least, most := 0.0, 1.0
		return &node{Minimum: &least, Maximum: &most}
	}
	ratio := needs("name", "bad", "total", "max")
	ratio.Title = "A ratio: bad events among all."
	ratio.Properties = map[string]*node{"max": share(), "critical_max": share()}
	ratio.Not = &node{AnyOf: []*node{needs("min"), needs("compare"), needs("query"), needs("uses"), needs("alert")}}
	query := needs("name", "query")
	query.Title = "A value: PromQL with a limit."
	query.AnyOf = []*node{needs("min"), needs("max"), needs("compare")}
	query.Not = &node{AnyOf: []*node{needs("bad"), needs("total"), needs("uses"), needs("alert"), needs("critical_max"), needs("critical_min"), needs("min_samples")}}
	preset := needs("uses")
	preset.Title = "A preset."
	preset.Not = &node{AnyOf: []*node{needs("bad"), needs("total"), needs("query"), needs("alert")}}
	alert := needs("alert", "expr")
	alert.Title = "A Prometheus alerting rule as it stands."
	n.OneOf = []*node{ratio, query, preset, alert}
	for _, name := range rules.PresetNames() {
		n.Properties["uses"].Enum = append(n.Properties["uses"].Enum, name)
	}
}

func needs(keys ...string) *node { return &node{Required: keys} }
