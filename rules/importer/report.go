package importer

import (
	"slices"

	"github.com/serin-cd/serin/rules"
)

// Status says what became of a rule.
type Status string

// The statuses.
const (
	Converted Status = "converted"
	Refused   Status = "refused"
)

// Kind says what was found in a file.
type Kind string

// The kinds. A Whole file is reported where no rule of it can be.
const (
	AlertRule     Kind = "alert"
	RecordingRule Kind = "recording rule"
	Whole         Kind = "file"
)

// File is a file of rules, as it was read.
type File struct {
	Name string
	Text []byte
}

// Options say how rules are converted.
type Options struct {
	RewriteVersion bool // a hard-coded version becomes {{version}} or {{stable_version}}
}

// Result is what became of one rule.
type Result struct {
	File   string   `json:"file"`
	Line   int      `json:"line"`
	Group  string   `json:"group,omitempty"`
	Rule   string   `json:"rule"` // the alert's name, or the recording rule's
	Kind   Kind     `json:"kind"`
	Status Status   `json:"status"`
	Reason string   `json:"reason"` // why it was refused
	Cure   string   `json:"cure,omitempty"`
	Name   string   `json:"name,omitempty"` // of the rule in the policy
	Notes  []string `json:"notes,omitempty"`

	text  string   // the rule as an item of a policy's list
	needs []string // metrics that look like recording rules
}

// Report is what became of all rules, in the order of the files.
type Report []Result

// Count counts the rules of a status. Whole files are no rules.
func (r Report) Count(s Status) int {
	n := 0
	for _, one := range r {
		if one.Status == s && one.Kind != Whole {
			n++
		}
	}
	return n
}

// Prometheus reads files of Prometheus' rules.
func Prometheus(files []File, o Options) Report {
	var out Report
	names := names{}
	for _, f := range files {
		r := reader{file: f.Name, options: o, names: names, line: func(n int) int { return n }}
		r.text(string(f.Text))
		if len(r.found) == 0 {
			r.refuseFile(1, "there are no rules in it", "give a file with `groups:`, a PrometheusRule, or a ConfigMap of rule files")
		}
		out = append(out, r.found...)
	}
	return out.needed()
}

// needed notes at each alert which recording rules Prometheus must go on computing for it.
func (r Report) needed() Report {
	recorded := map[string]bool{}
	for _, one := range r {
		if one.Kind == RecordingRule {
			recorded[one.Rule] = true
		}
	}
	for i, one := range r {
		for _, metric := range one.needs {
			if recorded[metric] {
				r[i].Notes = append(r[i].Notes, "needs the recording rule "+metric+" in Prometheus")
			} else if recordingName(metric) {
				r[i].Notes = append(r[i].Notes, metric+" looks like a recording rule: it is needed in Prometheus")
			}
		}
	}
	return r
}

// names gives every rule of a policy a name of its own.
type names map[string]int

// of returns an unused name for an alert, and whether it must be written beside the alert's own.
func (n names) of(alert string) (name string, written bool) {
	base := rules.Name(alert)
	name = base
	for n[name] > 0 {
		n[base]++
		suffix := "-" + itoa(n[base])
		name = base[:min(len(base), 63-len(suffix))] + suffix
	}
	n[name]++
	return name, name != alert
}

// distinct returns the texts without repetitions, in their order.
func distinct(texts []string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
