package policyfile

import (
	"cmp"
	"strconv"

	"github.com/serin-cd/serin/rules"
)

func rule(r rules.Rule) Rule {
	out := Rule{
		Name: r.Name, Bad: Query(r.Bad.Text()), Total: Query(r.Total.Text()), Compare: compare(r.Compare),
		Min: optional(r.Min), Max: optional(r.Max), CriticalMax: optional(r.CriticalMax),
		OnFail: string(r.OnFail), Severity: string(r.Severity), Settings: settings(r),
	}
	if r.CriticalMax != nil || r.CriticalMin > 0 {
		out.CriticalMin = Count(number(r.CriticalMin))
	}
	for _, w := range r.Steps {
		out.Steps = append(out.Steps, Weight(number(w)))
	}
	if a := r.Alert; a != nil {
		out.Alert, out.Expr, out.Labels, out.Annotations = a.Name, Query(a.Expr), texts(a.Labels), texts(a.Annotations)
		out.KeepFiringFor, out.Window = duration(r.KeepFiring), ""
	} else {
		out.Query = Query(r.Query.Text())
	}
	return out
}

// settings are a rule's own. Samples are counted of ratios alone.
func settings(r rules.Rule) Settings {
	s := Settings{
		Interval: Interval(r.Schedule.String()), Window: duration(r.Window), Warmup: duration(r.Warmup), For: duration(r.For),
		FailuresInARow: whole(r.InARow), FailuresInAStep: whole(r.InAStep),
		OnNoData: string(r.OnNoData), OnError: string(cmp.Or(r.OnError, rules.Hold)), OnDataLost: string(r.OnDataLost),
		FailAfter: unlessZero(r.FailAfter),
	}
	if r.Ratio() {
		s.MinSamples = Count(number(r.MinSamples))
	}
	if r.AlertAfter == r.OutageAlertAfter { // else it is not written: an outage then has a time of its own
		s.AlertAfter = duration(r.AlertAfter)
	}
	return s
}

func compare(c *rules.Compare) *Compare {
	if c == nil {
		return nil
	}
	return &Compare{To: "stable", MaxRatio: optional(c.MaxRatio), MaxIncrease: optional(c.MaxIncrease), IgnoreBelow: Number(number(c.IgnoreBelow))}
}

func whole(n int) Whole {
	if n == 0 {
		return ""
	}
	return Whole(strconv.Itoa(n))
}
