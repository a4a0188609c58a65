package analysis

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/rules"
)

// maxFiring is how many firing series of an alert are told apart. Of more, the alert is failing as a whole: its `for` then
// counts from the first of them, and so ends no later than Prometheus' would.
const maxFiring = 64

// answered is the answer as Prometheus' rule manager sees it: without what PromQL has to say about the query, which is a warning
// here and no matter there. Warnings of missing series stay.
func (a Answer) answered() Answer {
	for _, r := range []*Result{&a.Value, &a.Total} {
		r.Warnings = slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool { return strings.HasPrefix(w, "PromQL warning: ") })
	}
	return a
}

// readAlert reads an alert's answer: there is data when a value of it can be compared, or when Data says so.
func (a Answer) readAlert(rule rules.Rule) measured {
	alert := *rule.Alert
	m := measured{why: "no series", value: math.NaN()}
	for _, s := range a.Value.Samples {
		switch fires := alert.Fires.Met(s.Value, alert.Threshold); {
		case s.Histogram && alert.Fires != rules.FiresAny: // Prometheus compares it with nothing, and leaves it out
			m.note(noEvents, histogram)
		case fires:
			m.presence, m.firing = present, append(m.firing, s)
		case math.IsNaN(s.Value):
			m.note(noEvents, "the value is NaN")
		default:
			m.presence = present
		}
		if !s.Histogram && !math.IsNaN(s.Value) && (math.IsNaN(m.value) || further(alert, s.Value, m.value)) {
			m.value, m.labels = s.Value, s.Labels
		}
	}
	if alert.Data.Text() != "" && m.presence != present {
		m.judgeData(a.Total.Samples, alert)
	}
	return m
}

// further reports whether a value is farther beyond the threshold than b, or nearer to it.
func further(a rules.Alert, value, b float64) bool {
	switch a.Fires {
	case rules.FiresAbove, rules.FiresFrom:
		return value > b
	case rules.FiresBelow, rules.FiresUpTo:
		return value < b
	case rules.FiresAt, rules.FiresOff, rules.FiresAny:
	}
	return a.Fires.Met(value, a.Threshold) && !a.Fires.Met(b, a.Threshold)
}

// note keeps why nothing can be compared, unless something can.
func (m *measured) note(p presence, why string) {
	if m.presence == noSeries {
		m.presence, m.why = p, why
	}
}

// judgeData looks whether there was something to judge, though nothing fires and no value is there.
func (m *measured) judgeData(data []Sample, alert rules.Alert) {
	for _, s := range data {
		if s.Histogram || s.Value == 0 || math.IsNaN(s.Value) {
			m.note(noEvents, "no requests")
			continue
		}
		if m.presence = present; alert.Fires != rules.FiresAny && math.IsNaN(m.value) {
			m.value = 0 // nothing of it was divided
		}
	}
}

// alert judges an alert of which something is known.
func (f Facts) alert(rule rules.Rule, m measured, j Judgement) Judgement {
	alert := *rule.Alert
	if alert.Fires != rules.FiresAny {
		j.Reading.Limit, j.Reading.LimitKind = num(alert.Threshold), string(alert.Fires)
	}
	if len(m.firing) == 0 {
		return f.pass(j, m.against(alert))
	}
	keys, err := alertKeys(m.firing, alert.Labels)
	if err != nil {
		return j.outage(err.Error())
	}
	if rule.PerSeries {
		j.Failing = keys
	}
	reason := m.against(alert)
	if n := len(m.firing); n > 1 {
		reason += fmt.Sprintf(" (%d series)", n)
	}
	return j.is(Unhealthy, reason)
}

// against compares the value with the threshold, for people.
func (m measured) against(a rules.Alert) string {
	switch fires := len(m.firing) > 0; {
	case a.Fires == rules.FiresAny && fires:
		return "the alert fires"
	case a.Fires == rules.FiresAny:
		return "the alert does not fire"
	case math.IsNaN(m.value):
		return fmt.Sprintf("NaN %s %s", a.Fires, text(a.Threshold, 3))
	case fires:
		v, at := apart(m.value, a.Threshold)
		return v + " " + string(a.Fires) + " " + at
	}
	v, at := apart(m.value, a.Threshold)
	return v + " " + notFiring[a.Fires] + " " + at
}

// notFiring is the opposite of each comparison.
var notFiring = map[rules.Comparison]string{rules.FiresAbove: "≤", rules.FiresFrom: "<", rules.FiresBelow: "≥", rules.FiresUpTo: ">", rules.FiresAt: "≠", rules.FiresOff: "="}

// alertKeys tells the firing series apart as Prometheus tells alerts apart: by the labels of the result without its name, and
// with the rule's labels put over them. Two that become the same are an error there, and so here.
func alertKeys(firing []Sample, over map[string]string) ([]string, error) {
	seen := map[string]bool{}
	for _, s := range firing {
		h := fnv.New64a()
		for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
			if !hides(over, name) && name != model.MetricNameLabel && name != model.AlertNameLabel {
				h.Write([]byte(name + "\x00" + s.Labels[name] + "\x00"))
			}
		}
		key := strconv.FormatUint(h.Sum64(), 36)
		if seen[key] {
			return nil, fmt.Errorf("two series become the same alert: by its labels, or without the metric's name")
		}
		seen[key] = true
	}
	if len(seen) > maxFiring {
		return []string{EverySeries}, nil
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// hides reports whether the rule's labels put one text over a label of all series. A template is taken to leave series apart, as
// {{ $labels.pod }} does, and with it the label it is made of.
func hides(over map[string]string, label string) bool {
	if text, ok := over[label]; !ok || strings.Contains(text, "{{") {
		return false
	}
	for _, text := range over {
		if strings.Contains(text, "{{") && strings.Contains(text, label) {
			return false
		}
	}
	return true
}

// EverySeries stands in Failing for a rule that fails as a whole.
const EverySeries = "*"
