package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/steps"
)

// result is how a wait ended: the last line with -o json and -o jsonl.
type result struct {
	Service     string  `json:"service"`
	Environment string  `json:"environment"`
	Version     string  `json:"version"`
	Release     string  `json:"release"`
	Rollout     string  `json:"rollout,omitempty"`
	Outcome     string  `json:"outcome"`
	Cause       string  `json:"cause,omitempty"`
	Reason      string  `json:"reason,omitempty"`
	Percent     float64 `json:"percent"` // of traffic when it was decided
	Seconds     float64 `json:"seconds"`
	Exit        int     `json:"exit"`
}

// complete is the result with what it is about.
func (w *waiter) complete(r result) result {
	r.Service, r.Environment, r.Version, r.Release = w.rel.Service, w.rel.Environment, w.rel.Version, w.rel.ID
	r.Rollout, r.Seconds = w.rollout, w.env.Now().Sub(w.begin).Seconds()
	return r
}

// finish says how the wait ended.
func (w *waiter) finish(r result) error {
	r, w.over = w.complete(r), true
	if w.flags.output == "json" || w.flags.output == "jsonl" {
		if err := json.NewEncoder(w.env.Stdout).Encode(r); err != nil {
			return err
		}
	}
	if err := w.deliver(r); err != nil {
		fmt.Fprintf(w.env.Stderr, "serin: write the report: %s\n", clean(strings.ReplaceAll(err.Error(), "\n", "; ")))
		r.Exit = cmp.Or(r.Exit, exitNo)
	}
	switch {
	case r.Exit == exitOK:
		return nil
	case w.flags.output != "text":
		return exitError{code: r.Exit}
	case r.Reason != "":
		return exitError{code: r.Exit, err: fmt.Errorf("%s: %s", r.Outcome, clean(r.Reason))}
	}
	return exitError{code: r.Exit, err: errors.New(r.Outcome)}
}

// ended is the result of a rollout that is over.
func ended(d deployments.EventData) *result {
	r := &result{Outcome: string(d.Outcome), Cause: string(d.Cause), Reason: d.Reason, Percent: cmp.Or(d.FromPercent, d.Percent)}
	switch {
	case d.Outcome == steps.Promoted:
		r.Exit = exitOK
	case d.Outcome == steps.RestoreUnconfirmed:
		r.Exit = exitUnconfirmed
	case d.Cause == steps.ByPerson:
		r.Exit = exitAborted
	case d.Cause == steps.BySuperseded:
		r.Exit = exitSuperseded
	case d.Cause == steps.NotReady:
		r.Exit = exitNotAccepted
	default:
		r.Exit = exitRolledBack
	}
	return r
}

// timedOut is the result of a wait that ends before the rollout does. One that is taken back, and confirmed, is no more
// than watched.
func (w *waiter) timedOut() *result {
	switch {
	case w.phase == steps.Recovering:
		d := w.back
		d.Outcome, d.Reason = steps.Restored, cmp.Or(w.turned, d.Reason)+"; the failed rules are still watched"
		return ended(d)
	case w.unconfirmed:
		return &result{Outcome: "not confirmed", Reason: "the way back is still being tried: " + w.again(), Exit: exitUnconfirmed}
	}
	return &result{Outcome: "timed out", Reason: "the rollout goes on: " + w.again(), Exit: exitTimeout}
}

// again is how to go on where this wait ends.
func (w *waiter) again() string {
	if w.rollout == "" {
		return fmt.Sprintf("`serin status %s --env %s` says where it is", w.rel.Service, w.rel.Environment)
	}
	return fmt.Sprintf("`serin wait %s --env %s` follows it again", w.rollout, w.rel.Environment)
}

func (w *waiter) notAccepted() *result {
	if w.now != "" {
		return nil
	}
	if w.before != nil {
		if end, known := w.before(); known {
			return end
		}
	}
	return w.nobody()
}

// line is an event with -o jsonl.
type line struct {
	Event    string                `json:"event"`
	ID       string                `json:"id"`
	Time     time.Time             `json:"time"`
	Severity deployments.Severity  `json:"severity"`
	Data     deployments.EventData `json:"data"`
}

// tell shows an event.
func (w *waiter) tell(e deployments.Event) {
	w.story.take(e)
	w.now = clean(notify.Text(e))
	switch w.flags.output {
	case "text":
		fmt.Fprintf(w.env.Stdout, "%s  %s\n", e.Time.UTC().Format(time.TimeOnly), w.now)
	case "github":
		w.github.tell(w.env.Stdout, e, w.now)
	case "jsonl":
		_ = json.NewEncoder(w.env.Stdout).Encode(line{e.Name, e.ID, e.Time, e.Severity, e.Data}) // the last line's error is told
	}
}

// say shows a line that is no event: beside JSON and XML on stderr.
func (w *waiter) say(text string) {
	out := w.env.Stdout
	if !w.flags.prose() {
		out = w.env.Stderr
	}
	fmt.Fprintf(out, "%s  %s\n", w.env.Now().UTC().Format(time.TimeOnly), inert(text))
}

// prose says whether stdout is for people.
func (f *waitFlags) prose() bool { return f.output == "text" || f.output == "github" }

// beat says that nothing happens, where nobody sees a screen.
func (w *waiter) beat() {
	if !onTerminal(w.env.Stdout) {
		w.say("still going: " + cmp.Or(w.now, "not taken in yet"))
	}
}
