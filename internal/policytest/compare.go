package policytest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
)

// compareLooks compares the verdicts of rules.
func (t Test) compareLooks(rounds []deployments.Round) []Failure {
	var out []Failure
	for i, look := range t.Verdicts {
		if i >= len(rounds) {
			break
		}
		for _, want := range look.Rules {
			got, read := find(rounds[i].Judgements, want.Rule)
			if !read {
				why := rounds[i].Why
				if why == "" {
					why = "only the rules that failed are read then"
				}
				out = append(out, t.failure(want.At, nil, "%s at %s: want %s, but it is not read: %s", want.Rule, clock(look.At), want.wanted(), why))
				continue
			}
			if differs := want.differs(got); len(differs) > 0 {
				if rounds[i].Stable {
					differs = append(differs, "the release is taken back by then, and "+t.Stable+" is read")
				}
				out = append(out, t.failure(want.At, []analysis.Judgement{got}, "%s at %s: %s", want.Rule, clock(look.At), strings.Join(differs, "; ")))
			}
		}
	}
	return out
}

func (t Test) failure(at diag.Position, readings []analysis.Judgement, format string, args ...any) Failure {
	return Failure{Position: at, Message: fmt.Sprintf(format, args...), Readings: readings, zero: t.Zero}
}

func (e Expected) wanted() string {
	if e.Verdict == nil {
		return "a reading"
	}
	return e.Verdict.String()
}

// differs says what is not as expected.
func (e Expected) differs(got analysis.Judgement) []string {
	var out []string
	if e.Verdict != nil && *e.Verdict != got.Verdict {
		out = append(out, fmt.Sprintf("want %s, got %s (%s)", *e.Verdict, got.Verdict, got.Reason))
	}
	for _, n := range e.Numbers {
		if is := number(got.Reading, n.Name); is == nil {
			out = append(out, fmt.Sprintf("want %s %s, got none", n.Name, figure(n.Want)))
		} else if !equal(n.Want, float64(*is)) {
			out = append(out, fmt.Sprintf("want %s %s, got %s", n.Name, figure(n.Want), figure(float64(*is))))
		}
	}
	if !strings.Contains(got.Reason, e.Reason) {
		out = append(out, fmt.Sprintf("want the reason %q, got %q", e.Reason, got.Reason))
	}
	if e.Lost != nil && *e.Lost != got.Lost {
		out = append(out, fmt.Sprintf("want lost %t, got %t", *e.Lost, got.Lost))
	}
	return out
}

func number(r analysis.Reading, name string) *analysis.Number {
	return map[string]*analysis.Number{"value": r.Value, "limit": r.Limit, "stable": r.Stable, "samples": r.Samples, "bad": r.Bad, "total": r.Total}[name]
}

// equal compares six digits: increase() and its like extrapolate. NaN equals NaN.
func equal(want, got float64) bool {
	switch {
	case math.IsNaN(want) || math.IsNaN(got):
		return math.IsNaN(want) && math.IsNaN(got)
	case math.IsInf(want, 0) || math.IsInf(got, 0):
		return want == got
	}
	return want == got || math.Abs(want-got) <= 1e-6*max(math.Abs(want), math.Abs(got))
}

func figure(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// compareCourse compares the course line by line, then the end. One failure tells all: what follows a difference differs.
func (t Test) compareCourse(course []Moment, end End, rounds []deployments.Round) []Failure {
	place, at, message := t.End.differs(end, t)
	decided := slices.DeleteFunc(slices.Clone(rounds), func(r deployments.Round) bool { return r.Stable }) // what came after explains no end
	if m, p, d := t.firstDifference(course); m != "" {
		message, place, at, decided = m, p, d, rounds
	}
	if message == "" {
		return nil
	}
	f := t.failure(place, before(decided, t.Zero.Add(at)), "%s", message)
	f.Course = written(course, end)
	return []Failure{f}
}

// firstDifference compares the moments of the kinds that the expected course has. Steps are always among them.
func (t Test) firstDifference(course []Moment) (message string, place diag.Position, at time.Duration) {
	if len(t.Course) == 0 {
		return "", place, 0
	}
	got := slices.DeleteFunc(slices.Clone(course), func(m Moment) bool {
		return m.Kind != kindStep && !slices.ContainsFunc(t.Course, func(want Moment) bool { return want.Kind == m.Kind })
	})
	for i, want := range t.Course {
		switch {
		case i >= len(got):
			return fmt.Sprintf("course: want %s, got nothing more until %s", want, clock(t.Until)), want.Place, t.Until
		case want.Kind != got[i].Kind || want.What != got[i].What || max(want.At-got[i].At, got[i].At-want.At) > t.Within:
			return fmt.Sprintf("course: want %s, got %s", want, got[i]), want.Place, min(want.At, got[i].At)
		}
	}
	if len(got) > len(t.Course) {
		more := got[len(t.Course)]
		return fmt.Sprintf("course: want nothing more, got %s", more), t.Course[len(t.Course)-1].Place, more.At
	}
	return "", place, 0
}

// differs says in what the real end is another than expected.
func (e End) differs(got End, t Test) (place diag.Position, at time.Duration, message string) {
	at = t.Until
	var out []string
	say := func(key, want, is string) {
		if _, ok := e.written[key]; ok && want != is {
			if len(out) == 0 {
				place = e.written[key]
			}
			out = append(out, fmt.Sprintf("%s: want %s, got %s", key, want, is))
		}
	}
	say("outcome", e.Outcome, got.Outcome)
	say("cause", e.Cause, cmp.Or(got.Cause, "none"))
	say("failed", strings.Join(e.Failed, ", "), cmp.Or(strings.Join(got.Failed, ", "), "none"))
	if got.Ended != nil {
		at = *got.Ended
	}
	switch {
	case e.Ended == nil:
	case got.Ended == nil:
		say("ended", clock(*e.Ended), "nothing until "+clock(t.Until))
	case max(*e.Ended-*got.Ended, *got.Ended-*e.Ended) > t.Within:
		say("ended", clock(*e.Ended), clock(*got.Ended))
	}
	return place, at, strings.Join(out, "; ")
}

// before is the newest reading of each rule up to an instant, those that are not healthy first.
func before(rounds []deployments.Round, at time.Time) []analysis.Judgement {
	var out []analysis.Judgement
	for _, r := range slices.Backward(rounds) {
		if r.At.After(at) {
			continue
		}
		for _, j := range r.Judgements {
			if _, known := find(out, j.Rule); !known {
				out = append(out, j)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b analysis.Judgement) int {
		switch {
		case a.Verdict.Worse(b.Verdict):
			return -1
		case b.Verdict.Worse(a.Verdict):
			return 1
		}
		return 0
	})
	return out
}

func find(js []analysis.Judgement, rule string) (analysis.Judgement, bool) {
	i := slices.IndexFunc(js, func(j analysis.Judgement) bool { return j.Rule == rule })
	if i < 0 {
		return analysis.Judgement{}, false
	}
	return js[i], true
}
