package main

import (
	"fmt"
	"strings"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/rules/survey"
)

// rulePlace is where a rule's template is written.
type rulePlace struct {
	rule, defaults yamldoc.Map
	value          yamldoc.Value // of bad, total, query or expr; of uses, where the text is elsewhere
	text           string        // as written
	template       rules.Template
}

// place finds the key of rule i that the template was made from: the one with its selectors.
func (c *policyCheck) place(i int, t rules.Template) rulePlace {
	var written []yamldoc.Value // ParseSet leaves out what is no mapping
	for _, item := range c.doc.Get("rules").List() {
		if item.IsMap() {
			written = append(written, item)
		}
	}
	p := rulePlace{rule: anyKeys(written[i]), defaults: anyKeys(c.doc.Get("defaults")), template: t, value: written[i]}
	for _, key := range []string{"uses", "expr", "query", "total", "bad"} {
		v := p.rule.Get(key)
		text, ok := v.String()
		if !ok {
			continue
		}
		p.value = v
		if p.text = text; key != "uses" && p.has(text) {
			return p
		}
	}
	return p
}

// has reports whether a text has the template's first selection in it, and no other text would have more.
func (p rulePlace) has(text string) bool {
	if text == p.template.Text() {
		return true
	}
	for _, s := range p.template.Selections() {
		return strings.Trim(strings.TrimSpace(text), "()") == p.template.Text()[s.Start:s.End] || p.rule.Has("expr")
	}
	return false
}

// at is the offset in the written text of a place in a selection, or -1 where the selection is not written here.
func (p rulePlace) at(s rules.Selection, offset int) int {
	if p.text == p.template.Text() {
		return offset
	}
	found := strings.Index(p.text, p.template.Text()[s.Start:s.End])
	if found < 0 {
		return -1
	}
	return found + offset - s.Start
}

// warn tells a note where it belongs, unless it has been told already.
func (p rulePlace) warn(n survey.Note, told map[string]bool) {
	v, offset := p.value, p.at(n.View.Selection, n.At)
	if n.Window {
		switch {
		case p.rule.Has("window"):
			v, offset = p.rule.Get("window"), 0
		case p.defaults.Has("window"):
			v, offset = p.defaults.Get("window"), 0
		default:
			offset = p.at(n.View.Selection, n.View.Start)
		}
	}
	offset = max(offset, 0)
	if key := fmt.Sprint(v.At(offset), n.Message); !told[key] {
		told[key] = true
		v.WarnAt(offset, n.Cure, "%s", n.Message)
	}
}
