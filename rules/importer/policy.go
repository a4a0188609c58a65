package importer

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
)

// Head is what a policy needs besides rules. What is empty becomes a placeholder with a comment.
type Head struct {
	Service     string
	VersionFlag string
	OnNoData    string // hold, pass or rollback; "" leaves it to the policy
}

// Policy writes the converted rules as a policy; more than [rules.MaxRules] become several policies in one file. It is
// empty where nothing was converted.
func (r Report) Policy(h Head) []byte {
	var converted []Result
	for _, one := range r {
		if one.Status == Converted {
			converted = append(converted, one)
		}
	}
	var b bytes.Buffer
	n := 0
	for part := range slices.Chunk(converted, rules.MaxRules) {
		if n++; n > 1 {
			b.WriteString("---\n")
		}
		h.write(&b, n)
		for _, one := range part {
			fmt.Fprintf(&b, "  # %s\n", comment(one.origin()))
			b.WriteString(one.text)
		}
	}
	return b.Bytes()
}

// write writes the n-th policy's beginning.
func (h Head) write(b *bytes.Buffer, n int) {
	service, comment := h.Service, ""
	if service == "" {
		service, comment = "imported", " # your service's name"
	}
	flag, flagComment := h.VersionFlag, ""
	if flag == "" {
		flag, flagComment = service+"-version", " # the flag whose variants are versions, or another mover"
	}
	if n > 1 {
		suffix := "-" + itoa(n)
		service = service[:min(len(service), 63-len(suffix))] + suffix
		comment = " # a policy has at most " + itoa(rules.MaxRules) + " rules"
	}
	fmt.Fprintf(b, "service: %s%s\ntraffic: {version_flag: %s}%s\n", quoted(service), comment, quoted(flag), flagComment)
	if h.OnNoData != "" {
		fmt.Fprintf(b, "defaults: {on_no_data: %s}\n", quoted(h.OnNoData))
	}
	b.WriteString("rules:\n")
}

// origin says where a rule came from.
func (r Result) origin() string {
	at := fmt.Sprintf("%s:%d", r.File, r.Line)
	if r.Group != "" {
		at += ", group " + r.Group
	}
	return at
}

// comment is a text that ends no comment.
func comment(text string) string {
	return short(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd || r >= 0x10000 {
			return '?'
		}
		return r
	}, text))
}

func quoted(text string) string {
	out, err := yaml.Marshal(text)
	if err != nil { // texts have no such errors
		return "''"
	}
	return strings.TrimSuffix(string(out), "\n")
}

// item is the alert as an item of a policy's list; name is written where it is not empty.
func (a alert) item(name string) string {
	plain := a.write(name, 0)
	if a.survives(plain) {
		return plain
	}
	return a.write(name, yaml.DoubleQuotedStyle)
}

// write writes the item, with all texts in one style; 0 chooses a readable one.
func (a alert) write(name string, style yaml.Style) string {
	m := &yaml.Node{Kind: yaml.MappingNode}
	add := func(in *yaml.Node, key, value string) {
		if strings.TrimSpace(value) == "" {
			return
		}
		v := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: style}
		if style == 0 && strings.Contains(value, "\n") {
			v.Style = yaml.LiteralStyle
		}
		in.Content = append(in.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Style: style}, v)
	}
	add(m, "alert", a.name)
	add(m, "name", name)
	add(m, "expr", a.expr)
	add(m, "for", a.holdFor)
	add(m, "keep_firing_for", a.keepFiring)
	add(m, "interval", a.interval)
	for _, part := range []struct {
		key   string
		pairs []pair
	}{{"labels", a.labels}, {"annotations", a.annotations}} {
		inner := &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range part.pairs {
			add(inner, p.key, p.value)
		}
		if len(inner.Content) > 0 {
			m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part.key}, inner)
		}
	}
	return indent(m)
}

// indent writes a mapping as an item of a list that is indented by two.
func indent(m *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(m); err != nil {
		return ""
	}
	lines := strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, line := range lines {
		switch {
		case i == 0:
			lines[i] = "  - " + line
		case strings.TrimRight(line, "\n") != "":
			lines[i] = "    " + line
		}
	}
	return strings.Join(lines, "") + "\n"
}

// survives reports whether an item, read again, has the very texts it was made of.
func (a alert) survives(item string) bool {
	var read []struct {
		Alert, Expr         string
		Labels, Annotations map[string]string
	}
	if err := yaml.Unmarshal([]byte(item), &read); err != nil || len(read) != 1 || read[0].Alert != a.name || read[0].Expr != a.expr {
		return false
	}
	for _, part := range []struct {
		pairs []pair
		read  map[string]string
	}{{a.labels, read[0].Labels}, {a.annotations, read[0].Annotations}} {
		for _, p := range part.pairs {
			if strings.TrimSpace(p.value) != "" && part.read[p.key] != p.value {
				return false
			}
		}
	}
	return true
}

// accepted lets package rules read an item, and returns its first complaint.
func accepted(item string) (diag.Finding, bool) {
	f, docs := yamldoc.Parse("", []byte("rules:\n"+item))
	if len(docs) == 1 {
		m := docs[0].Map("rules")
		rules.ParseSet(m.Get("rules"), m.Get("defaults"), nil)
	}
	for _, one := range f.Findings {
		if one.Severity != diag.Warning {
			one.Message = strings.TrimPrefix(one.Message, "rules[0].")
			return one, false
		}
	}
	return diag.Finding{}, len(docs) == 1
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
