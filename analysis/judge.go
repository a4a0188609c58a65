package analysis

import (
	"fmt"
	"time"

	"github.com/serin-cd/serin/rules"
)

// Facts are what is known when one rule is judged.
type Facts struct {
	At     time.Time
	Window Window
	Seen   bool    // the rule had data on this rollout before
	New    Answer  // about the version under judgement
	Stable *Answer // the same questions about the stable version; nil: not asked, or there is none

	Control Control // of a rule that compares
	NotRead string  // why the rule is not read in this step

	StepTotal  *Result       // Total again, since the step's confirmed start; nil: not asked
	StepWindow time.Duration // the window of StepTotal
}

// Judge gives the verdict of one rule. It decides in this order: an answer that cannot be used is an outage; a window
// from before proves nothing; then data, samples, value. What is not known is never healthy.
func Judge(rule rules.Rule, f Facts) Judgement {
	j := Judgement{Rule: rule.Name, Reading: f.reading()}
	if f.NotRead != "" {
		return j.is(Healthy, f.NotRead)
	}
	if rule.Alert != nil {
		f.New = f.New.answered()
	}
	if why := f.fault(); why != "" {
		return j.outage(why)
	}
	if f.Window.Proof == ProvesNothing {
		return j.is(Inconclusive, f.Window.Why)
	}
	m := f.New.read(rule, f.Window.Length)
	j.Reading.add(rule, m)
	if f.Stable != nil {
		j.Reading.addStable(f.Stable.read(rule, f.Window.Length))
	}
	switch m.presence {
	case noSeries, noEvents:
		return f.missing(rule, m, j)
	case unusable:
		return j.outage(m.why)
	}
	j.Data = true
	return f.compare(rule, m, j)
}

// fault says which answer cannot be used. Stable's own answer matters to a loss alone: it is looked at there.
func (f Facts) fault() string {
	if why := f.New.fault(); why != "" || f.StepTotal == nil {
		return why
	}
	return f.StepTotal.fault()
}

// missing judges the absence of data: lost, if the series were there on this rollout and stable's still are.
func (f Facts) missing(rule rules.Rule, m measured, j Judgement) Judgement {
	if f.Seen && m.presence == noSeries && f.Stable != nil {
		if why := f.Stable.fault(); why != "" {
			return j.outage("stable version: " + why)
		}
		if f.Stable.read(rule, f.Window.Length).presence == present {
			return j.lost(rule)
		}
	}
	// While the window is still growing, silence may only mean that nothing was scraped twice yet.
	if f.Window.Clipped {
		return j.is(NoData, m.why+" since the first exposure")
	}
	switch rule.OnNoData {
	case rules.Pass:
		return f.pass(j, m.why+", and on_no_data is pass")
	case rules.Rollback:
		return j.is(Unhealthy, m.why+", and on_no_data is rollback")
	case rules.Hold, rules.Notify:
	}
	return j.is(NoData, m.why)
}

func (j Judgement) lost(rule rules.Rule) Judgement {
	j.Lost = true
	const why = "the series have vanished, the stable version still has data"
	if rule.OnDataLost == rules.Hold {
		return j.is(NoData, why)
	}
	return j.is(Unhealthy, why)
}

// compare judges a value that is there.
func (f Facts) compare(rule rules.Rule, m measured, j Judgement) Judgement {
	if rule.Alert != nil {
		return f.alert(rule, m, j)
	}
	l := nearest(rule, m.value)
	if worst, ok := critical(rule, m); ok {
		j.Critical, l = true, worst
	}
	j.Reading.addLimit(l)
	if rule.Ratio() {
		samples := f.samples(rule, m)
		j.Reading.Samples = num(samples)
		if samples < rule.MinSamples && !j.Critical {
			return j.is(Inconclusive, fmt.Sprintf("%s of %s requests", whole(samples), text(rule.MinSamples, 3)))
		}
	}
	switch {
	case rule.Compare != nil && !l.broken():
		return f.beside(rule, m, l, j)
	case l.kind == "":
		return j.is(Inconclusive, "the rule has no limit")
	case l.broken():
		return j.is(Unhealthy, clause(rule, m, l))
	default:
		return f.pass(j, clause(rule, m, l))
	}
}

// samples counts the events the verdict may rest on: those of the window, or of the step so far where that is more.
func (f Facts) samples(rule rules.Rule, m measured) float64 {
	if f.StepTotal == nil {
		return m.total
	}
	step, ok := count(f.StepTotal.Samples, rule.Counts, f.StepWindow)
	if !ok || !(step > m.total) { // also when step is NaN
		return m.total
	}
	return step
}

// pass is healthy, if the window lies wholly inside the step.
func (f Facts) pass(j Judgement, reason string) Judgement {
	if f.Window.Proof != ProvesHealth {
		return j.is(Inconclusive, f.Window.Why)
	}
	return j.is(Healthy, reason)
}

func (j Judgement) is(v Verdict, reason string) Judgement {
	j.Verdict, j.Reason = v, reason
	return j
}

func (j Judgement) outage(why string) Judgement {
	j.Reading.Error = why
	return j.is(Outage, why)
}
