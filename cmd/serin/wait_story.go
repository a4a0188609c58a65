package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
)

// story is what a wait has heard of its rollout, for the reports at its end.
type story struct {
	told   map[string]bool // ids of events
	stages []stretch
	rules  []ruleStory
	failed []analysis.Judgement // those that the way back rests on, worst first
}

// stretch is one step of the rollout.
type stretch struct {
	step         int
	name         string
	began, ended time.Time
	passed       bool
}

// ruleStory is one rule: what was judged last, and the values so far.
type ruleStory struct {
	last   analysis.Judgement
	values []float64
}

// take notes an event. One that is told again changes nothing.
func (s *story) take(e deployments.Event) {
	if s.told[e.ID] && e.ID != "" {
		return
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[e.ID] = true
	switch e.Name {
	case "step.started":
		s.stages = append(s.stages, stretch{step: e.Data.Step, name: stageName(e.Data), began: e.Time})
	case "step.passed":
		s.pass(e)
	case "rollout.promoted":
		if len(s.stages) > 0 {
			last := &s.stages[len(s.stages)-1]
			last.passed, last.ended = true, e.Time
		}
	case "rollout.failed":
		s.fail(e)
	}
	for _, j := range e.Data.Evidence {
		s.judge(j)
	}
}

// pass notes the end of a step. Its beginning may have been told before there was a wait.
func (s *story) pass(e deployments.Event) {
	i := slices.IndexFunc(s.stages, func(g stretch) bool { return g.step == e.Data.Step && !g.passed })
	if i < 0 {
		i = len(s.stages)
		s.stages = append(s.stages, stretch{step: e.Data.Step, name: stageName(e.Data), began: e.Time})
	}
	s.stages[i].passed, s.stages[i].ended = true, e.Time
}

func (s *story) fail(e deployments.Event) {
	s.failed = nil
	for _, j := range e.Data.Evidence {
		if j.Verdict == analysis.Unhealthy || j.Lost {
			s.failed = append(s.failed, j)
		}
	}
	if n := len(s.stages); n > 0 && !s.stages[n-1].passed {
		s.stages[n-1].ended = e.Time
	}
}

func (s *story) judge(j analysis.Judgement) {
	i := slices.IndexFunc(s.rules, func(r ruleStory) bool { return r.last.Rule == j.Rule })
	if i < 0 {
		i = len(s.rules)
		s.rules = append(s.rules, ruleStory{})
	}
	r := &s.rules[i]
	if !r.last.Reading.At.IsZero() && !j.Reading.At.After(r.last.Reading.At) {
		return // the same reading, as another event has it
	}
	r.last = j
	if v := j.Reading.Value; v != nil {
		r.values = append(r.values, float64(*v))
	}
}

// step is the number of the last step that began, 0 before the first.
func (s *story) step() int {
	if len(s.stages) == 0 {
		return 0
	}
	return s.stages[len(s.stages)-1].step
}

// stageName is a step for people: "step 2: 25 %".
func stageName(d deployments.EventData) string {
	name := fmt.Sprintf("step %d: %s %%", d.Step, digits(d.Percent))
	if len(d.Audience) > 0 {
		name += " and " + d.Audience.String()
	}
	return name
}

// digits is a number with what people look at.
func digits(v float64) string { return fmt.Sprintf("%.4g", v) }

// figureOf is a reading's number: of a ratio in percent.
func figureOf(v *analysis.Number, r analysis.Reading) string {
	switch {
	case v == nil:
		return ""
	case r.Total != nil:
		return digits(float64(*v)*100) + " %"
	}
	return digits(float64(*v))
}

// trend draws the last values, lowest to highest. Fewer than two draw nothing.
func trend(values []float64) string {
	const most = 40
	marks := []rune("▁▂▃▄▅▆▇█")
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(values) < 2 {
		return ""
	}
	values = values[max(0, len(values)-most):]
	low, high := slices.Min(values), slices.Max(values)
	out := make([]rune, 0, len(values))
	for _, v := range values {
		at := 0.0
		if high > low {
			at = (v/2 - low/2) / (high/2 - low/2) // halves: the difference of two may be more than there is
		}
		out = append(out, marks[min(len(marks)-1, int(at*float64(len(marks))))])
	}
	return string(out)
}
