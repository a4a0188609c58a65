package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/rules"
)

// alert is an alerting rule on its way into a policy.
type alert struct {
	name, expr          string
	holdFor, keepFiring string // as written; "" is none
	interval            string
	labels, annotations []pair
	notes               []string
}

// pair is one label or annotation.
type pair struct{ key, value string }

// refusal says why a rule is not converted. The zero refusal refuses nothing.
type refusal struct{ reason, cure string }

func (f refusal) refused() bool { return f.reason != "" }

// ruleKeys are the keys of a rule of Prometheus'.
var ruleKeys = []string{"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}

// rule converts one rule, or refuses it.
func (r *reader) rule(m mapping) {
	name, line := m.text("alert"), m.keyLine("alert", "record")
	if !m.has("alert") && m.has("record") {
		r.refuse(line, RecordingRule, m.text("record"), "recording rule: it stays in Prometheus", "leave it there; alerts that use it are noted")
		return
	}
	a, no := r.alert(m)
	if !no.refused() {
		no = a.expression(r, m.value("expr"))
	}
	if !no.refused() {
		no = a.texts()
	}
	var result Result
	if !no.refused() {
		result, no = r.convert(a)
	}
	if no.refused() {
		r.refuse(line, AlertRule, name, no.reason, no.cure)
		return
	}
	result.Line, result.Rule, result.Kind, result.Status = r.line(line), name, AlertRule, Converted
	result.needs = metrics(a.expr)
	r.add(result)
}

// alert reads the fields of an alerting rule.
func (r *reader) alert(m mapping) (alert, refusal) {
	r.work += len(m.text("expr")) * len(m.text("expr"))
	a := alert{name: m.text("alert"), expr: m.text("expr"), interval: r.group.interval, notes: slices.Clone(r.group.notes)}
	if no := keys(m); no.refused() {
		return a, no
	}
	for key, into := range map[string]*[]pair{"labels": &a.labels, "annotations": &a.annotations} {
		value := resolve(m.value(key))
		if value == nil || value.Tag == "!!null" {
			continue
		}
		texts := r.mapping(value)
		all, wrong := texts.texts()
		if value.Kind != yaml.MappingNode || texts.odd || wrong != "" {
			return a, refusal{fmt.Sprintf("%s are no mapping of names to texts (%s)", key, wrong), "write `" + key + ": {name: text}`, each name once"}
		}
		for _, f := range texts.fields {
			*into = append(*into, pair{f.key.Value, all[f.key.Value]})
		}
	}
	a.groupLabels(r.group.labels)
	var no refusal
	if a.holdFor, no = duration(m, "for"); no.refused() {
		return a, no
	}
	a.keepFiring, no = duration(m, "keep_firing_for")
	return a, no
}

// groupLabels adds the labels of the group; the rule's own win.
func (a *alert) groupLabels(labels map[string]string) {
	for _, key := range sorted(labels) {
		if !slices.ContainsFunc(a.labels, func(p pair) bool { return p.key == key }) {
			a.labels = append(a.labels, pair{key, labels[key]})
		}
	}
}

// keys refuses rules that Prometheus would not read.
func keys(m mapping) refusal {
	for _, f := range m.fields {
		if no := key(m, f.key.Value); no.refused() {
			return no
		}
	}
	switch {
	case m.odd:
		return refusal{"a key of the rule is no text", "write the rule as `alert:`, `expr:` and so on"}
	case m.twice != "":
		return refusal{fmt.Sprintf("key %q is written twice", m.twice), "keep one of them"}
	case m.has("alert") && m.has("record"):
		return refusal{"the rule has both `alert` and `record`", "make two rules of it"}
	case !m.has("alert"):
		return refusal{"the rule has neither `alert` nor `record`", "add `alert: NAME`"}
	case strings.TrimSpace(m.text("alert")) == "":
		return refusal{"the alert has no name", "write `alert: NAME`"}
	case strings.TrimSpace(m.text("expr")) == "":
		return refusal{"the alert has no `expr`", "add what it asks, as PromQL"}
	}
	return refusal{}
}

// key refuses a key that no rule of Prometheus' has.
func key(m mapping, key string) refusal {
	switch {
	case contains(ruleKeys, key):
		return refusal{}
	case key == "severity":
		return refusal{"`severity` stands at the rule itself, where Prometheus knows no such key", "write it under `labels:`"}
	case key == "action":
		return refusal{"`action` stands at the rule itself, where Prometheus knows no such key", "write it under `annotations:`"}
	case !m.has("alert") && (key == "uid" || key == "title" || key == "condition"):
		return refusal{"it is no rule of Prometheus', but one that Grafana manages", "write what it asks as PromQL: `alert:` and `expr:`"}
	}
	return refusal{fmt.Sprintf("unknown key %q", key), diag.Suggest(key, ruleKeys)}
}

// duration reads `for` or `keep_firing_for` as Prometheus does.
func duration(m mapping, key string) (string, refusal) {
	n := resolve(m.value(key))
	if n == nil || n.Tag == "!!null" {
		return "", refusal{}
	}
	if n.Kind == yaml.ScalarNode {
		if _, err := model.ParseDuration(n.Value); err == nil {
			return n.Value, refusal{}
		}
	}
	return "", refusal{fmt.Sprintf("`%s` is %q, which is no duration", key, n.Value), "write a number and a unit, as in 30s, 5m, 1h30m"}
}

// holds reports whether the alert must fire for some time before it counts.
func (a alert) holds() bool {
	d, err := model.ParseDuration(a.holdFor)
	return err == nil && d > 0
}

// texts checks the alert's name, labels and annotations.
func (a *alert) texts() refusal {
	if foreign, ok := foreignTemplate(a.name); ok {
		return refusal{"the alert's name is a template of " + foreign, renderFirst}
	}
	for _, p := range a.labels {
		if no := a.label(p); no.refused() {
			return no
		}
	}
	for _, p := range a.annotations {
		if no := template("annotation", p); no.refused() {
			return no
		}
	}
	return a.action()
}

func (a *alert) label(p pair) refusal {
	if no := template("label", p); no.refused() {
		return no
	}
	if usesValue.MatchString(p.value) {
		if a.holds() {
			return refusal{fmt.Sprintf("label %q is made of the value: in Prometheus each new value is a new alert, whose `for` begins anew", p.key),
				"make it an annotation, or leave `for` out"}
		}
		a.notes = append(a.notes, fmt.Sprintf("label %q is made of the value", p.key))
	}
	return refusal{}
}

// actions are the words that Serin understands as an action.
var actions = []string{"auto_rollback", "rollback", "abort", "pause", "hold", "notify", "alert_only", "investigate"}

// action refuses alerts that fire on success.
func (a *alert) action() refusal {
	known, text := false, ""
	for _, p := range slices.Concat(a.annotations, a.labels) {
		word := strings.ToLower(strings.TrimSpace(p.value))
		switch key := strings.ToLower(p.key); {
		case key == "action" && promotes(word), (key == "promote" || key == "auto_promote") && word != "false" && word != "":
			return refusal{fmt.Sprintf("it fires on success (%s: %s), and a rule of Serin's fails when it fires: the release would be taken back when it is good", p.key, p.value),
				"leave it out: a rollout goes on by itself while its rules are healthy"}
		case key == "action":
			known = known || contains(actions, p.value)
			text = p.value
		}
	}
	if text != "" && !known {
		a.notes = append(a.notes, fmt.Sprintf("the action %q is text for people: the rule rolls back, unless it has an on_fail", short(text)))
	}
	return refusal{}
}

// promotes reports whether an action begins with a promotion.
func promotes(action string) bool {
	first := strings.FieldsFunc(action, func(r rune) bool { return !('a' <= r && r <= 'z') })
	if len(first) > 1 && first[0] == "auto" {
		first = first[1:]
	}
	return len(first) > 0 && (strings.HasPrefix(first[0], "promot") || first[0] == "autopromote")
}

// convert writes the alert as an item of a policy, and lets package rules read it.
func (r *reader) convert(a alert) (Result, refusal) {
	if no := a.setInterval(); no.refused() {
		return Result{}, no
	}
	if problem, ok := accepted(a.item("name")); !ok {
		return Result{}, refusal{problem.Message, problem.Cure}
	}
	name, written := r.names.of(a.name)
	out := Result{Name: name, Notes: distinct(a.notes)}
	if written {
		out.text = a.item(name)
	} else {
		out.text = a.item("")
	}
	return out, refusal{}
}

// setInterval keeps the group's interval where it says something.
func (a *alert) setInterval() refusal {
	if a.interval == "" {
		return refusal{}
	}
	d, err := model.ParseDuration(a.interval)
	if err == nil && d == 0 {
		a.interval = ""
		return refusal{}
	}
	if _, errSchedule := rules.ParseSchedule(a.interval); err != nil || errSchedule != nil {
		return refusal{fmt.Sprintf("the group's interval is %q, which is no duration that Serin can keep", a.interval), "write 100ms or longer, as in 30s"}
	}
	return refusal{}
}

// short is the beginning of a text.
func short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
