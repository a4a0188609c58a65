package policytest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/steps"
)

// verdictWords are the verdicts as they are written; an underscore may stand for the space.
func verdictWords() []string {
	var out []string
	for _, v := range []analysis.Verdict{analysis.Unhealthy, analysis.Outage, analysis.NoData, analysis.Inconclusive, analysis.Healthy} {
		out = append(out, v.String())
	}
	return out
}

func readVerdict(v yamldoc.Value) (analysis.Verdict, bool) {
	if text, ok := v.String(); !ok || text == "no_data" {
		return analysis.NoData, ok
	}
	word, ok := v.Word(verdictWords()...)
	if !ok {
		return 0, false
	}
	var out analysis.Verdict
	return out, out.UnmarshalText([]byte(word)) == nil
}

func (r *reader) readVerdicts(v yamldoc.Value) []Look {
	var out []Look
	for _, item := range v.List() {
		m := item.Map("at", "rules")
		if !m.IsMap() {
			continue
		}
		at, ok := moment(m, "at")
		if !required(m, "rules", "add `rules: {error-rate: unhealthy}`") || !ok {
			continue
		}
		out = append(out, Look{At: at, Rules: r.readRules(m.Get("rules"))})
	}
	slices.SortStableFunc(out, func(a, b Look) int { return int(a.At - b.At) })
	return out
}

// readRules reads what is expected of rules, by their names.
func (r *reader) readRules(v yamldoc.Value) []Expected {
	var known []string
	for _, rule := range r.file.Policy.Rules {
		known = append(known, rule.Name)
	}
	m := v.Map(known...)
	var out []Expected
	for _, name := range v.Keys() {
		if !m.Has(name) {
			continue
		}
		want := m.Get(name)
		e := Expected{At: m.Key(name).Pos(), Rule: name}
		if !want.IsMap() {
			if verdict, ok := readVerdict(want); ok {
				e.Verdict = &verdict
				out = append(out, e)
			}
			continue
		}
		e.readDetails(want)
		out = append(out, e)
	}
	return out
}

// numbers are the keys of a reading's numbers.
var numbers = []string{"value", "limit", "stable", "samples", "bad", "total"}

func (e *Expected) readDetails(v yamldoc.Value) {
	m := v.Map(append([]string{"verdict", "reason", "lost"}, numbers...)...)
	if m.Has("verdict") {
		if verdict, ok := readVerdict(m.Get("verdict")); ok {
			e.Verdict = &verdict
		}
	}
	e.Reason, _ = m.Get("reason").String()
	if lost, ok := m.Get("lost").Bool(); ok {
		e.Lost = &lost
	}
	for _, name := range numbers {
		if n, ok := readNumber(m.Get(name)); ok {
			e.Numbers = append(e.Numbers, Number{Name: name, Want: n})
		}
	}
}

// readNumber reads a number, a percentage, NaN or an infinity.
func readNumber(v yamldoc.Value) (float64, bool) {
	if !v.Exists() {
		return 0, false
	}
	text, ok := v.String()
	if word := strings.ToLower(strings.TrimLeft(text, "+-.")); ok && (word == "nan" || word == "inf") {
		n, err := strconv.ParseFloat(strings.Replace(text, ".", "", 1), 64)
		return n, err == nil
	}
	return v.Number()
}

func (r *reader) readCourse(v yamldoc.Value) []Moment {
	kinds := []string{kindStep, kindHold, kindAwaits, kindOff}
	var out []Moment
	for _, item := range v.List() {
		m := item.Map(append([]string{"at"}, kinds...)...)
		if !m.IsMap() {
			continue
		}
		at, ok := moment(m, "at")
		var named []string
		for _, k := range kinds {
			if m.Has(k) {
				named = append(named, k)
			}
		}
		if len(named) != 1 && !m.Strange() {
			m.Errorf("write for example {at: 5m, step: 25}; known: "+strings.Join(kinds, ", "), "a line of a course says one thing")
		}
		if len(named) != 1 || !ok {
			continue
		}
		if what, ok := r.readWhat(named[0], m.Get(named[0])); ok {
			out = append(out, Moment{Place: item.Pos(), At: at, Kind: named[0], What: what})
		}
	}
	if v.IsList() && len(v.List()) == 0 {
		v.Errorf("write for example [{at: 0s, step: 5}], or remove the key", "the course is empty")
	}
	return out
}

// readWhat reads what a line of a course says happens.
func (r *reader) readWhat(kind string, v yamldoc.Value) (string, bool) {
	switch kind {
	case kindStep:
		return r.readStep(v)
	case kindHold:
		if text, _ := v.String(); text == "none" {
			return text, true
		}
		verdict, ok := readVerdict(v)
		return verdict.String(), ok
	case kindAwaits:
		return v.Word("approval")
	}
	return v.String()
}

// readStep reads the weight of a step of the policy, audience for one without, or 0.
func (r *reader) readStep(v yamldoc.Value) (string, bool) {
	text, ok := v.String()
	if !ok {
		return "", false
	}
	known := []string{"0"}
	for _, s := range r.file.Policy.Plan.Steps {
		if s.Share > 0 {
			known = append(known, percent(s.Share))
		} else if !slices.Contains(known, audience) {
			known = append(known, audience)
		}
	}
	if text == audience && slices.Contains(known, audience) {
		return audience, true
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	what := strconv.FormatFloat(n, 'f', -1, 64)
	if err != nil || !slices.Contains(known, what) {
		v.Errorf("the policy's steps are "+strings.Join(known[1:], ", ")+"; 0 is taken back", "%q is no step of the policy", text)
		return "", false
	}
	return what, true
}

// percent is a share as it is written in a policy.
func percent(s steps.Share) string { return strconv.FormatFloat(s.Percent(), 'f', -1, 64) }

func (r *reader) readEnd(m yamldoc.Map) End {
	e := End{written: map[string]diag.Position{}}
	for _, key := range []string{"outcome", "cause", "failed", "ended"} {
		if m.Has(key) {
			e.written[key] = m.Key(key).Pos()
		}
	}
	if m.Has("outcome") {
		e.Outcome, _ = m.Get("outcome").Word(string(steps.Promoted), string(steps.Restored), string(steps.RestoreUnconfirmed), string(steps.NeverExposed), running)
	}
	if m.Has("cause") {
		e.Cause, _ = m.Get("cause").Word(string(steps.ByRules), string(steps.ByLostData), string(steps.ByHoldTimeout), string(steps.ByPerson),
			string(steps.BySuperseded), string(steps.NotReady))
	}
	for _, item := range m.Get("failed").List() {
		name, ok := item.String()
		if _, known := r.file.Policy.Rules.Find(name); ok && !known {
			item.Errorf("name rules of the policy", "the policy has no rule %q", name)
		}
		e.Failed = append(e.Failed, name)
	}
	if d, ok := m.Get("ended").Duration(); ok {
		e.Ended = &d
	}
	return e
}
