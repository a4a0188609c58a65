package importer

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds, so that a short file of YAML aliases does not become a long one.
const (
	maxDepth = 60
	maxNodes = 1 << 20 // values looked at
	maxWork  = 1 << 30 // the squares of the expressions' lengths: what reading them may cost at worst
	maxRules = 10_000
)

// reader looks for rules in one file.
type reader struct {
	file    string
	options Options
	names   names
	line    func(int) int // where a line of the text being read stands in the file
	group   group
	nodes   int
	work    int
	inside  int // how many texts inside of texts are being read
	full    bool
	found   []Result
}

// group is what a rule's group says of it.
type group struct {
	name, interval string
	notes          []string
	labels         map[string]string
}

func (r *reader) refuse(line int, kind Kind, rule, reason, cure string) {
	r.add(Result{Line: r.line(line), Rule: rule, Kind: kind, Status: Refused, Reason: reason, Cure: cure})
}

func (r *reader) refuseFile(line int, reason, cure string) { r.refuse(line, Whole, "", reason, cure) }

func (r *reader) add(one Result) {
	if len(r.found) >= maxRules {
		if !r.full {
			r.full = true
			r.found = append(r.found, Result{File: r.file, Line: one.Line, Kind: Whole, Status: Refused,
				Reason: fmt.Sprintf("there are more than %d rules", maxRules), Cure: "split the file"})
		}
		return
	}
	one.File, one.Group = r.file, r.group.name
	r.found = append(r.found, one)
}

var (
	separator = regexp.MustCompile(`^---(\s|$)`)
	ruleLine  = regexp.MustCompile(`^\s*(?:-\s+)?["']?(alert|record)["']?\s*:\s+(\S.*?)\s*$`)
	faultLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
)

// text reads the documents of a file, each by itself: a broken one does not hide the others.
func (r *reader) text(text string) {
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	start := 0
	for i := 1; i <= len(lines); i++ {
		if i == len(lines) || separator.MatchString(lines[i]) {
			r.document(lines[start:i], start)
			start = i
		}
	}
}

// document reads one document, whose first line has the index start.
func (r *reader) document(lines []string, start int) {
	outer, before := r.line, len(r.found)
	defer func() { r.line = outer }()
	r.line = func(n int) int { return outer(start + n) }
	defer func() {
		if len(r.found) == before {
			r.oldRules(lines)
		}
	}()
	dec := yaml.NewDecoder(strings.NewReader(strings.Join(lines, "\n")))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.broken(lines, err)
			return
		}
		for _, n := range node.Content {
			r.walk(n, 0)
		}
	}
}

// broken reports the rules of a text that is not YAML, by its lines.
func (r *reader) broken(lines []string, err error) {
	at, message := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := faultLine.FindStringSubmatch(err.Error()); m != nil {
		message = err.Error()[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			at = min(max(n, 1), len(lines))
		}
	}
	reason := fmt.Sprintf("the file is not YAML at line %d (%s)", r.line(at), message)
	cure := "check indentation (spaces, no tabs), quotes and brackets there"
	switch text := strings.Join(lines, "\n"); {
	case strings.Contains(text, "{%"):
		reason, cure = reason+": it looks like a template of Ansible", "render it, and import what comes out"
	case strings.Contains(text, "{{"):
		reason, cure = reason+": it looks like a template of Helm", "render it, and import what comes out: helm template … | serin import prometheus -"
	}
	none := true
	for i, line := range lines {
		if m := ruleLine.FindStringSubmatch(line); m != nil {
			none = false
			r.refuse(i+1, kindOf(m[1]), strings.Trim(m[2], `"', `), reason, cure)
		}
	}
	if none {
		r.refuseFile(at, reason, cure)
	}
}

// oldRule is a line of a rule file of Prometheus 1.
var oldRule = regexp.MustCompile(`^\s*ALERT\s+(\w+)\s*$`)

// oldRules reports the rules of a document of Prometheus 1, which was no YAML.
func (r *reader) oldRules(lines []string) {
	for i, line := range lines {
		if m := oldRule.FindStringSubmatch(line); m != nil {
			r.refuse(i+1, AlertRule, m[1], "it is written as in Prometheus 1", "let promtool of Prometheus 2 convert the file: promtool update rules")
		}
	}
}

func kindOf(key string) Kind {
	if key == "record" {
		return RecordingRule
	}
	return AlertRule
}

// walk looks for rules in a value and below it.
func (r *reader) walk(n *yaml.Node, depth int) {
	n = resolve(n)
	if !r.within(n, depth) {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			r.walk(item, depth+1)
		}
	case yaml.MappingNode:
		r.walkMapping(r.mapping(n), depth)
	}
}

// within is false, and the file refused, where a document has too much in it.
func (r *reader) within(n *yaml.Node, depth int) bool {
	r.nodes++
	if depth <= maxDepth && r.nodes <= maxNodes && r.work <= maxWork && !r.full {
		return true
	}
	if !r.full {
		r.full = true
		r.refuseFile(n.Line, "there is too much in it to be looked at", "split the file, and write YAML aliases out")
	}
	return false
}

func (r *reader) walkMapping(m mapping, depth int) {
	if looksLikeRule(m) {
		r.rule(m)
		return
	}
	if list := m.list("rules"); list != nil && hasRules(r, list) {
		r.rules(m, list)
		return
	}
	for _, f := range m.fields {
		switch value := resolve(f.value); {
		case value.Kind != yaml.ScalarNode:
			r.walk(value, depth+1)
		case ruleFile.MatchString(f.key.Value) && strings.Contains(value.Value, ":"):
			r.embedded(value)
		}
	}
}

// ruleFile is a name under which a ConfigMap holds a file.
var ruleFile = regexp.MustCompile(`\.(ya?ml|rules?|json)$`)

// embedded reads a text that is a value: its lines are those of the file where it is written as a block.
func (r *reader) embedded(n *yaml.Node) {
	if r.inside >= 3 {
		r.refuseFile(n.Line, "files stand inside of files too often", "write the rules out")
		return
	}
	outer, group := r.line, r.group
	r.inside++
	defer func() { r.line, r.group = outer, group; r.inside-- }()
	r.line = func(int) int { return outer(n.Line) }
	if n.Style&yaml.LiteralStyle != 0 {
		r.line = func(k int) int { return outer(n.Line + k) }
	}
	r.text(n.Value)
}

// looksLikeRule reports whether a mapping is a rule, also outside of a group.
func looksLikeRule(m mapping) bool {
	if !m.scalar("alert") && !m.scalar("record") {
		return false
	}
	return slices.ContainsFunc([]string{"expr", "for", "labels", "annotations"}, m.has)
}

// hasRules reports whether a list is one of rules: that of a role in Kubernetes, or of an ingress, is not.
func hasRules(r *reader, list *yaml.Node) bool {
	for _, item := range list.Content {
		m := r.mapping(resolve(item))
		if m.has("alert") || m.has("record") || m.has("expr") {
			return true
		}
	}
	return false
}

// groupKeys are the keys of a group that change nothing here, besides those that are read.
var groupKeys = []string{"name", "rules", "interval", "labels", "partial_response_strategy", "source_tenants", "align_evaluation_time_on_interval"}

// rules reads the rules of a group.
func (r *reader) rules(m mapping, list *yaml.Node) {
	outer := r.group
	defer func() { r.group = outer }()
	r.group = group{name: m.text("name"), interval: m.text("interval"), labels: map[string]string{}}
	for _, f := range m.fields {
		switch key := f.key.Value; {
		case key == "limit":
			r.group.notes = append(r.group.notes, "the group's limit is not kept: Prometheus fires nothing beyond it")
		case key == "query_offset" || key == "evaluation_delay":
			r.group.notes = append(r.group.notes, "the group's "+key+" is not kept: Prometheus asks so much later")
		case !contains(groupKeys, key):
			r.group.notes = append(r.group.notes, fmt.Sprintf("the group's %q is not read", key))
		}
	}
	if value := resolve(m.value("labels")); value != nil {
		r.group.labels, _ = r.mapping(value).texts()
	}
	for _, item := range list.Content {
		item = resolve(item)
		if !r.within(item, 0) {
			return
		}
		if item.Kind != yaml.MappingNode {
			r.refuse(item.Line, AlertRule, "", "a rule is a mapping with `alert:` and `expr:`", "write it so, or leave it out")
			continue
		}
		r.rule(r.mapping(item))
	}
}
