package analysis

import (
	"context"
	"errors"
	"time"

	"github.com/serin-cd/serin/rules"
)

// Analyst asks for the readings of rules, and judges them.
type Analyst struct {
	Querier Querier
	// Annotate fills in the annotations of an alert for the series that fires; nil: they are left out.
	Annotate func(a rules.Alert, labels map[string]string, value float64, at time.Time) map[string]string
}

// Measure judges every request at one instant: one judgement each, in order. All first questions go to the Querier in
// one call. Only readings that do not pass may cost a second one, again for all at once.
func (a Analyst) Measure(ctx context.Context, rs []Request, at time.Time) []Judgement {
	at = at.Truncate(time.Millisecond) // Prometheus knows no finer instant, and the evidence shall name the one asked for
	facts, out := make([]Facts, len(rs)), make([]Judgement, len(rs))
	first := newBatch(2 * len(rs))
	for i, r := range rs {
		f := &facts[i]
		f.At, f.Seen, f.Window = at, r.Seen, Clip(r.Rule, r.Since, r.Inside, at)
		if f.NotRead = r.notRead(); f.NotRead != "" {
			continue
		}
		if f.Window.Proof == ProvesNothing {
			continue
		}
		first.questions(r, r.Vars, f.Window.Length, &f.New)
		if f.Control = r.control(); r.Rule.Compare != nil && f.Control.Missing == "" {
			f.Stable = new(Answer)
			first.questions(r, f.Control.Stable, f.Window.Length, f.Stable)
		}
	}
	a.ask(ctx, first, at)
	second := newBatch(0)
	for i, r := range rs {
		out[i] = Judge(r.Rule, facts[i])
		facts[i].followUp(r, out[i], &second)
	}
	if a.ask(ctx, second, at) {
		for i, r := range rs {
			out[i] = Judge(r.Rule, facts[i])
		}
	}
	a.annotate(rs, out)
	return out
}

// notRead is why a rule is not read in the present step; "" where it is.
func (r Request) notRead() string {
	switch {
	case r.Unweighted && len(r.Rule.Steps) > 0:
		return "not read before the first share"
	case !r.Rule.ReadAt(r.Vars.Weight):
		return "not read at " + text(r.Vars.Weight, 4) + " %"
	}
	return ""
}

// annotate says of alerts that fire what their rules say of them.
func (a Analyst) annotate(rs []Request, js []Judgement) {
	for i, r := range rs {
		if j := &js[i]; a.Annotate != nil && r.Rule.Alert != nil && j.Verdict == Unhealthy && j.Reading.Value != nil {
			j.Annotations = a.Annotate(*r.Rule.Alert, j.Reading.Labels, float64(*j.Reading.Value), j.Reading.At)
		}
	}
}

// followUp asks what decides a reading that did not pass, or explains it to a person.
func (f *Facts) followUp(r Request, j Judgement, b *batch) {
	if f.NotRead != "" || j.Verdict == Outage || f.Window.Proof == ProvesNothing || f.Stable != nil {
		return
	}
	failing := j.Verdict == Unhealthy
	if window, ok := f.stepWindow(r, j); ok {
		f.StepTotal, f.StepWindow = new(Result), window
		vars := r.Vars
		vars.Window = window
		b.add(Query{Source: r.Source, Template: r.Rule.Total, Vars: vars}, f.StepTotal)
		failing = nearest(r.Rule, float64(*j.Reading.Value)).broken()
	}
	others, ok := r.others()
	if !ok {
		return
	}
	lost := f.Seen && f.New.empty(r.Rule)
	// A rule that names both versions has no value "of stable": with one put for the other it would compare stable to itself.
	explain := j.Data && failing && !uses(r.Rule, "stable_version")
	if lost || explain {
		f.Stable = new(Answer)
		b.questions(r, others, f.Window.Length, f.Stable)
	}
}

// others are the variables of what the other users get. It is false when there is nothing else, or when the rule's
// questions would be the same for it.
func (r Request) others() (rules.Vars, bool) {
	o := r.Vars
	o.Version = r.Vars.StableVersion
	if r.Others.Version != "" {
		o.Version, o.Variant = r.Others.Version, r.Others.Variant
	}
	differs := o.Version != r.Vars.Version && uses(r.Rule, "version") || o.Variant != r.Vars.Variant && uses(r.Rule, "variant")
	return o, o.Version != "" && differs
}

// stepWindow is the time since the step's start, if more samples may be found there than in the reading's window and
// the verdict waits for them.
func (f *Facts) stepWindow(r Request, j Judgement) (time.Duration, bool) {
	if j.Verdict != Inconclusive || j.Reading.Samples == nil || float64(*j.Reading.Samples) >= r.Rule.MinSamples {
		return 0, false
	}
	if r.Rule.Counts == rules.CountFixed || !r.Rule.Total.Uses("window") || r.Inside.IsZero() {
		return 0, false
	}
	exposed := f.At.Sub(r.Since).Truncate(time.Millisecond)
	window := min(f.At.Sub(r.Inside).Truncate(time.Millisecond), exposed)
	return window, window > f.Window.Length && r.Rule.Total.Reach(window) <= exposed
}

// batch gathers queries, and where their results belong.
type batch struct {
	queries []Query
	into    []*Result
}

func newBatch(size int) batch {
	return batch{queries: make([]Query, 0, size), into: make([]*Result, 0, size)}
}

func (b *batch) add(q Query, into *Result) {
	b.queries, b.into = append(b.queries, q), append(b.into, into)
}

// questions adds a rule's questions about one version or variant.
func (b *batch) questions(r Request, vars rules.Vars, window time.Duration, into *Answer) {
	vars.Window = window
	if !r.Rule.Ratio() {
		b.add(Query{Source: r.Source, Template: r.Rule.Query, Vars: vars}, &into.Value)
		if r.Rule.Alert != nil && r.Rule.Alert.Data.Text() != "" {
			b.add(Query{Source: r.Source, Template: r.Rule.Alert.Data, Vars: vars}, &into.Total)
		}
		return
	}
	b.add(Query{Source: r.Source, Template: r.Rule.Bad, Vars: vars}, &into.Bad)
	b.add(Query{Source: r.Source, Template: r.Rule.Total, Vars: vars}, &into.Total)
}

var errUnanswered = errors.New("the query was not answered")

// ask puts the batch to the Querier in one call and files the results. It reports whether there was anything to ask.
func (a Analyst) ask(ctx context.Context, b batch, at time.Time) bool {
	if len(b.queries) == 0 {
		return false
	}
	results := a.Querier.Query(ctx, b.queries, at)
	for i, into := range b.into {
		*into = Result{Err: errUnanswered}
		if i < len(results) {
			*into = results[i]
		}
	}
	return true
}
