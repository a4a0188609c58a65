package main

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// notRead is the verdict of a rule without a reading.
const notRead = "not read"

// ruleView is a rule beside its last reading.
type ruleView struct {
	Rule     string           `json:"rule"`
	Verdict  string           `json:"verdict"` // or "not read"
	Read     bool             `json:"read"`    // in this step
	Reason   string           `json:"reason,omitempty"`
	Value    *analysis.Number `json:"value,omitempty"`
	Limit    *analysis.Number `json:"limit,omitempty"`
	Kind     string           `json:"limit_kind,omitempty"`
	Ratio    bool             `json:"ratio,omitempty"` // value and limit are parts of all
	Stable   *analysis.Number `json:"stable,omitempty"`
	Samples  *analysis.Number `json:"samples,omitempty"` // events since the step's confirmed start
	Since    time.Time        `json:"failing_since,omitzero"`
	Failing  string           `json:"failing,omitempty"` // for how long and how often, of what is borne
	Readings []readingView    `json:"readings"`          // oldest first
}

// readingView is a reading as it is drawn.
type readingView struct {
	At      time.Time        `json:"at"`
	Value   *analysis.Number `json:"value,omitempty"`
	Limit   *analysis.Number `json:"limit,omitempty"`
	Verdict analysis.Verdict `json:"verdict"`
}

// ruleViews are the plan's rules, in its order, with those readings that are known.
func ruleViews(now time.Time, r steps.Rollout, readings []analysis.Judgement) []ruleView {
	out := make([]ruleView, len(r.Plan.Rules))
	for i, t := range r.Plan.Rules {
		v := ruleView{Rule: t.Rule, Verdict: notRead, Readings: []readingView{}}
		var last analysis.Judgement
		for _, j := range readings {
			if j.Rule != t.Rule || !last.Reading.At.IsZero() && !j.Reading.At.After(last.Reading.At) {
				continue
			}
			last = j
			v.Readings = append(v.Readings, readingView{j.Reading.At.In(now.Location()), j.Reading.Value, j.Reading.Limit, j.Verdict})
		}
		if !last.Reading.At.IsZero() {
			n := last.Reading
			v.Verdict, v.Reason, v.Value, v.Limit, v.Kind, v.Stable, v.Samples = last.Verdict.String(), last.Reason, n.Value, n.Limit, n.LimitKind, n.Stable, n.Samples
			v.Ratio = n.Total != nil
			v.Read = !r.StepBegan.IsZero() && !n.At.Before(r.StepBegan)
		}
		if k := slices.IndexFunc(r.Rules, func(s steps.RuleState) bool { return s.Rule == t.Rule }); k >= 0 && !r.Rules[k].FailingSince.IsZero() {
			v.Since = r.Rules[k].FailingSince.In(now.Location())
			if r.Failure == nil {
				v.Failing = failing(now, t, r.Rules[k])
			}
		}
		out[i] = v
	}
	return out
}

// failing says how long and how often a rule has failed, of what the plan bears: "for 45s of 1m, 1 of 2 in a row".
func failing(now time.Time, t rules.Tolerance, s steps.RuleState) string {
	text := "for " + spell(now, s.FailingSince)
	if t.For > 0 {
		text += " of " + short(t.For)
	}
	if t.InARow > 0 {
		text += ", " + strconv.Itoa(s.InARow) + " of " + strconv.Itoa(t.InARow) + " in a row"
	}
	if t.InAStep > 0 {
		text += ", " + strconv.Itoa(s.InAStep) + " of " + strconv.Itoa(t.InAStep) + " in this step"
	}
	return text
}

// measuredText is the last value beside its limit: "0.4 % ≤ 5 %".
func (v ruleView) measuredText() string {
	switch {
	case v.Verdict == notRead:
		return "not read yet"
	case v.Value == nil:
		return "–"
	}
	value := amount(float64(*v.Value), v.Ratio)
	if v.Limit == nil {
		return value
	}
	return value + " " + relation(v.Kind, float64(*v.Value), float64(*v.Limit)) + " " + amount(float64(*v.Limit), v.Ratio)
}

// relation stands between a value and its limit: what is true of the two, said from the side of the limit.
func relation(kind string, value, limit float64) string {
	least := kind == "min" || kind == "<" || kind == "<="
	switch {
	case value > limit && least:
		return "≥"
	case value > limit:
		return ">"
	case value < limit && least:
		return "<"
	case value < limit:
		return "≤"
	case value == limit:
		return "="
	}
	return "?"
}

// amount is a number with three digits; of a ratio in percent.
func amount(f float64, ratio bool) string {
	unit := ""
	if ratio {
		f, unit = 100*f, " %"
	}
	size := math.Abs(f)
	if math.IsNaN(f) || size >= 1e9 || size != 0 && size < 1e-4 {
		return strconv.FormatFloat(f, 'g', 3, 64) + unit
	}
	decimals := 0
	if size > 0 {
		decimals = max(0, 2-int(math.Floor(math.Log10(size))))
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', decimals, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64) + unit
}

// sparkline draws the last readings of a rule, one column an interval: ▄ is the limit, what is above it is higher; · is a
// reading without a value, a blank one that is missing.
func (v ruleView) sparkline(width int) row {
	var out row
	add := func(text string, c colour) {
		if n := len(out); n > 0 && out[n-1].colour == c {
			out[n-1].string += text
			return
		}
		out = append(out, span{text, c})
	}
	slots := v.slots(width)
	top := 0.0
	for _, s := range slots {
		if s != nil && s.Value != nil && !math.IsInf(float64(*s.Value), 0) {
			top = max(top, math.Abs(float64(*s.Value)))
		}
	}
	for _, s := range slots {
		switch {
		case s == nil:
			add(" ", none)
		case s.Value == nil || math.IsNaN(float64(*s.Value)):
			add("·", verdictColours[s.Verdict.String()])
		default:
			add(string(bars[height(float64(*s.Value), s.Limit, top)]), verdictColours[s.Verdict.String()])
		}
	}
	return out
}

var bars = []rune("▁▂▃▄▅▆▇█")

// height is a value's bar: up to the fourth it is within its limit. Without a limit above 0 the highest value is the
// measure of all.
func height(value float64, limit *analysis.Number, top float64) int {
	within, l := 4.0, 0.0
	if limit != nil {
		l = float64(*limit)
	}
	switch {
	case value <= 0 || math.IsNaN(value):
		return 0
	case !(l > 0) && limit != nil: // anything above 0 is outside
		return 4 + int(min(3, 3*value/top))
	case !(l > 0):
		return int(min(7, 7*value/top))
	case value <= l:
		return int(min(within-1, within*value/l))
	}
	return 4 + int(min(3, within*(value-l)/l))
}

// slots spreads the last readings over columns of the interval between them.
func (v ruleView) slots(width int) []*readingView {
	var gaps []time.Duration
	for i := 1; i < len(v.Readings); i++ {
		gaps = append(gaps, v.Readings[i].At.Sub(v.Readings[i-1].At))
	}
	slices.Sort(gaps)
	var interval time.Duration
	if len(gaps) > 0 {
		interval = gaps[len(gaps)/2]
	}
	var back []*readingView // newest first
	for i := len(v.Readings) - 1; i >= 0 && len(back) < width; i-- {
		back = append(back, &v.Readings[i])
		if i == 0 || interval <= 0 {
			continue
		}
		missing := int(math.Round(float64(v.Readings[i].At.Sub(v.Readings[i-1].At))/float64(interval))) - 1
		for ; missing > 0 && len(back) < width; missing-- {
			back = append(back, nil)
		}
	}
	slices.Reverse(back)
	return back
}
