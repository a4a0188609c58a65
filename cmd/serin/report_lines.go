package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
)

// factLine is one fact of a report: what, and what of it.
type factLine struct{ name, text string }

// title says what a report is about.
func (r reportOf) title() string {
	where := cmp.Or(r.Environment, "all environments")
	if r.Service != "" {
		where = r.Service + " in " + where
	}
	const minute = "2006-01-02 15:04"
	return fmt.Sprintf("Releases of %s that ended from %s to %s UTC", where, r.Since.UTC().Format(minute), r.Until.UTC().Format(minute))
}

// label is how a service is called in a report.
func (r reportOf) label(s deployments.Slot) string {
	if r.Environment != "" {
		return s.Service
	}
	return s.String()
}

// nothing says so where no rollout ended, or "".
func (r reportOf) nothing() string {
	if r.Total.Releases > 0 {
		return ""
	}
	return strings.TrimSpace("No rollout ended in this time. " + underWay(r.Total))
}

func underWay(f deployments.Figures) string {
	if f.UnderWay == 0 {
		return ""
	}
	text := strconv.Itoa(f.UnderWay) + " under way, in no other figure"
	if f.Unconfirmed > 0 {
		text += "; " + strconv.Itoa(f.Unconfirmed) + " NOT CONFIRMED to be taken back"
	}
	return text
}

// figureLines are figures in words.
func figureLines(f deployments.Figures) []factLine {
	lines := []factLine{
		{"Releases", fmt.Sprintf("%d ended: %d promoted, %d taken back%s", f.Releases, f.Promoted, f.TakenBack, apart(f))},
		{"Change failure rate", rate(f)},
	}
	if f.TakenBack > 0 {
		lines = append(lines, factLine{"Taken back", takenBack(f)})
	}
	lines = append(lines, factLine{"Lead time", times(f.Lead, ", from release event to promotion")})
	if f.Restore.Of > 0 {
		lines = append(lines, faultLines(f)...)
	}
	if text := underWay(f); text != "" {
		lines = append(lines, factLine{"Under way", text})
	}
	return lines
}

func apart(f deployments.Figures) string {
	var out strings.Builder
	for _, fate := range slices.Sorted(maps.Keys(f.Apart)) {
		fmt.Fprintf(&out, ", %d %s", f.Apart[fate], worded(string(fate)))
	}
	return out.String()
}

func rate(f deployments.Figures) string {
	if f.FailureRate == nil {
		return "-, nothing was promoted or taken back"
	}
	return fmt.Sprintf("%s: %d taken back of %d, the others promoted", percent(*f.FailureRate), f.TakenBack, f.Promoted+f.TakenBack)
}

func takenBack(f deployments.Figures) string {
	var where, why []string
	for _, s := range f.Steps {
		where = append(where, fmt.Sprintf("%d in %s", s.Rollouts, cmp.Or(s.Step, "an unknown step")))
	}
	for _, cause := range slices.Sorted(maps.Keys(f.Causes)) {
		why = append(why, fmt.Sprintf("%d for %s", f.Causes[cause], worded(string(cause))))
	}
	return strings.Join(where, ", ") + "; " + strings.Join(why, ", ")
}

// faultLines are what faults did, and did not do.
func faultLines(f deployments.Figures) []factLine {
	met, avoided, requests := "-", "-", "-"
	if e := f.Exposure; e.Known.Known > 0 {
		if e.Mean != nil {
			met = fmt.Sprintf("%s of traffic on average, for %s in all%s", percent(*e.Mean), lasting(e.Fault), known(e.Known))
		}
		avoided = fmt.Sprintf("%s of all traffic, against a release to everybody at once%s", lasting(e.Avoided), known(e.Known))
	}
	if q := f.Requests; q.Known.Known > 0 {
		requests = fmt.Sprintf("%s, of which %s would have failed%s", rounded(q.Avoided), rounded(q.Failed), known(q.Known))
	}
	return []factLine{
		{"Time to restore", times(f.Restore, ", from first bad reading to no traffic")},
		{"  decided", times(f.Decide, "")},
		{"  healthy again", times(f.Healthy, "")},
		{"Met the fault", met},
		{"Exposure avoided", avoided},
		{"Requests avoided", requests},
		{"Loss avoided", loss(f)},
	}
}

func loss(f deployments.Figures) string {
	var amounts []string
	for _, m := range f.Loss.Amounts {
		amounts = append(amounts, money(m))
	}
	switch {
	case len(amounts) > 0:
		return strings.Join(amounts, " + ") + known(f.Loss.Known)
	case f.Requests.Known.Known > 0:
		return "-, no policy says value_per_request"
	}
	return "-"
}

func times(t deployments.Times, what string) string {
	switch {
	case t.Median == nil:
		return "-" + known(t.Known)
	case t.Known.Known == 1:
		return lasting(*t.Median) + what + known(t.Known)
	}
	return "median " + lasting(*t.Median) + ", p90 " + lasting(*t.P90) + what + known(t.Known)
}

// known says of how many a figure is known, unless it is of all.
func known(k deployments.Known) string {
	if k.Known == k.Of {
		return ""
	}
	return fmt.Sprintf(" (known of %d of %d)", k.Known, k.Of)
}

// accountLine tells of one rollout.
func (r reportOf) accountLine(a deployments.Account) factLine {
	text := a.Version + " " + worded(string(a.Fate))
	switch {
	case a.Lead != nil:
		text += " after " + lasting(*a.Lead)
	case a.Step != "":
		text += " in " + a.Step
	}
	if a.Cause != "" && a.Fate == deployments.FateTakenBack {
		text += " for " + worded(string(a.Cause))
	}
	if len(a.Rules) > 0 {
		text += " (" + strings.Join(a.Rules, ", ") + ")"
	}
	if a.Restore != nil {
		text += "; restored after " + lasting(*a.Restore)
	}
	if a.Exposure != nil {
		text += "; avoided " + lasting(a.Exposure.Avoided) + " of all traffic"
	}
	if a.Requests != nil {
		text += ", " + rounded(a.Requests.Failed) + " failed requests"
	}
	if a.Loss != nil {
		text += ", " + money(*a.Loss)
	}
	return factLine{a.Ended.UTC().Format("2006-01-02 15:04"), r.label(a.Slot) + " " + text + "; " + a.Rollout}
}

// harm is what a rollout's fault did, and did not do, where that is known.
func harm(a *deployments.Account) []string {
	if a == nil || a.Restore == nil {
		return nil
	}
	text := "restored " + lasting(*a.Restore) + " after the first bad reading"
	if a.Decide != nil {
		text += ", decided after " + lasting(*a.Decide)
	}
	if a.Healthy != nil {
		text += ", healthy again after " + lasting(*a.Healthy)
	}
	out := []string{text}
	if e := a.Exposure; e != nil && e.Fault > 0 {
		text = percent(e.Met/e.Fault) + " of traffic met the fault; a release to everybody at once: " + lasting(e.Avoided) + " of all traffic more"
		if q := a.Requests; q != nil {
			text += ", " + rounded(q.Failed) + " failed requests more"
		}
		if a.Loss != nil {
			text += ", " + money(*a.Loss)
		}
		out = append(out, text)
	}
	return out
}

// worded is an identifier in words.
func worded(s string) string { return strings.ReplaceAll(s, "_", " ") }

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + " %"
}

func rounded(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', 0, 64) }

func money(m deployments.Money) string {
	return strconv.FormatFloat(m.Amount, 'f', 2, 64) + " " + m.Currency
}

// lasting is a time as people say it: tenths of seconds below a minute, seconds below an hour, else minutes.
func lasting(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	step := time.Minute
	switch {
	case d < time.Minute:
		step = time.Second / 10
	case d < time.Hour:
		step = time.Second
	}
	text := d.Round(step).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
