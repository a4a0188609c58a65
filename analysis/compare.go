package analysis

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/serin-cd/serin/rules"
)

// Control says what a comparison has to compare with.
type Control struct {
	Missing     string     // why there is nothing: the comparison is skipped then
	Own, Stable rules.Vars // of both sides: a label that has their version or variant does not tell series apart
}

// control is the control of a request. It ends at 100 %: stable has no users then.
func (r Request) control() Control {
	others, ok := r.others()
	switch {
	case r.Rule.Compare == nil:
		return Control{}
	case r.Vars.Weight >= 100:
		return Control{Missing: "not compared: at 100 % the stable version has no users"}
	case !ok:
		return Control{Missing: "not compared: there is no stable version"}
	}
	return Control{Own: r.Vars, Stable: others}
}

// beside judges a value that is inside the rule's own limits by the stable version's value. l is the nearest of those.
func (f Facts) beside(rule rules.Rule, m measured, l limit, j Judgement) Judgement {
	switch {
	case f.Control.Missing != "" && l.kind == "":
		return f.pass(j, f.Control.Missing)
	case f.Control.Missing != "":
		return f.pass(j, clause(rule, m, l)+"; "+f.Control.Missing)
	case f.Stable == nil:
		return j.is(Inconclusive, "the stable version was not asked")
	}
	if why := f.Stable.fault(); why != "" {
		return j.outage("stable version: " + why)
	}
	worst, control, at, why := f.worstBeside(*rule.Compare)
	if why != "" {
		return j.is(NoData, why)
	}
	if l.kind == "" || at.excess > l.excess {
		l = at
		j.Reading.Value, j.Reading.Labels, j.Reading.Stable = num(worst.value), worst.labels, nil
		if control != nil {
			j.Reading.Stable = num(*control)
		}
		j.Reading.addLimit(l)
	}
	reason := clause(rule, measured{value: float64(*j.Reading.Value)}, l)
	if j.Reading.Stable != nil {
		reason += " (stable has " + text(float64(*j.Reading.Stable), 3) + ")"
	}
	if l.broken() {
		return j.is(Unhealthy, reason)
	}
	return f.pass(j, reason)
}

// worstBeside finds the value that is worst beside the stable version's value of the same labels. why says what is
// missing to know it: one broken limit is enough to know.
func (f Facts) worstBeside(c rules.Compare) (worst measured, control *float64, l limit, why string) {
	stable := map[string]float64{}
	for _, s := range f.Stable.Value.Samples {
		if !s.Histogram && !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			stable[series(s.Labels, f.Control.Stable)] = s.Value
		}
	}
	l.excess = math.Inf(-1)
	for _, s := range f.New.Value.Samples {
		if math.IsNaN(s.Value) {
			continue // one idle series among others says nothing
		}
		was, known := stable[series(s.Labels, f.Control.Own)]
		at, kind := c.IgnoreBelow, "ignore_below"
		switch {
		case known:
			at, kind = c.Limit(was)
		case c.IgnoreBelow <= 0 || s.Value > c.IgnoreBelow:
			why = "the stable version has no data to compare with"
			continue
		}
		if excess := s.Value - at; excess > l.excess || l.kind == "" {
			worst, l, control = measured{value: s.Value, labels: s.Labels}, limit{kind: kind, at: at, excess: excess}, nil
			if known {
				control = &was
			}
		}
	}
	if l.broken() {
		why = ""
	}
	return worst, control, l, why
}

// series tells series of one version apart: its labels without those that have the version or the variant.
func series(labels map[string]string, v rules.Vars) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if value := labels[name]; value != v.Version && value != v.Variant {
			b.WriteString(name + "\x00" + value + "\x00")
		}
	}
	return b.String()
}
