package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// waitReport is all that can be said at the end of a wait.
type waitReport struct {
	result
	story

	url string // where the failed rule's query can be asked again; "": not known
}

// verdict is how it ended, for a headline.
func (r waitReport) verdict() string {
	switch r.Exit {
	case exitRolledBack:
		return "rolled back"
	case exitUnconfirmed:
		return "taken back, not confirmed"
	case exitAborted:
		return "aborted"
	case exitPaused:
		return "waits for a person"
	}
	return strings.ReplaceAll(r.Outcome, "_", " ")
}

// headline is the verdict with what it is about.
func (r waitReport) headline() string {
	return fmt.Sprintf("%s %s in %s: %s", r.Service, r.Version, r.Environment, r.verdict())
}

// failedRule is the worst rule that failed, "" when none did.
func (r waitReport) failedRule() string {
	if len(r.failed) == 0 {
		return ""
	}
	return r.failed[0].Rule
}

// outputs are the facts that later steps of a pipeline go by.
func (r waitReport) outputs() [][2]string {
	step := ""
	if n := r.step(); n > 0 {
		step = strconv.Itoa(n)
	}
	return [][2]string{
		{"outcome", strings.ReplaceAll(r.Outcome, " ", "_")}, {"release-id", r.Release}, {"rollout", r.Rollout}, {"step", step},
		{"percent", digits(r.Percent)}, {"failed-rule", r.failedRule()}, {"exit", strconv.Itoa(r.Exit)}, {"url", r.url},
	}
}

// ruleSaid is a failed rule in one line.
func ruleSaid(j analysis.Judgement) string {
	if j.Reason == "" {
		return j.Rule + " is " + j.Verdict.String()
	}
	return j.Rule + ": " + j.Reason
}

// reports says whether a story is to be told at the end.
func (f *waitFlags) reports() bool {
	return f.output == "github" || f.output == "junit" || f.junit != "" || f.dotenv != ""
}

// deliver writes the reports that are asked for. All are tried, whatever becomes of the others.
func (w *waiter) deliver(r result) error {
	if !w.flags.reports() {
		return nil
	}
	if len(w.story.stages) == 0 && w.rollout != "" && w.recall != nil && r.Exit != exitUnreachable {
		w.recall()
	}
	all := waitReport{result: r, story: w.story, url: w.failedURL()}
	var errs []error
	if w.flags.output == "github" {
		w.github.end(w.env.Stdout, all)
		errs = append(errs, writeOutputs(w.env, all), writeSummary(w.env, all))
	}
	if w.flags.output == "junit" {
		errs = append(errs, writeJUnit(w.env.Stdout, all))
	}
	if path := w.flags.junit; path != "" {
		errs = append(errs, writeFile(w.env.Path(path), func(to io.Writer) error { return writeJUnit(to, all) }))
	}
	if path := w.flags.dotenv; path != "" {
		errs = append(errs, writeFile(w.env.Path(path), func(to io.Writer) error { return writeDotenv(to, all) }))
	}
	return errors.Join(errs...)
}

// recallWait bounds the reading of what happened before the wait began.
const recallWait = 10 * time.Second

// recalls makes a waiter able to take in what was told of its rollout before the wait began.
func (w *waiter) recalls(ctx context.Context, r *remote) {
	w.recall = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recallWait)
		defer cancel()
		events := jetstream.Events{JS: r.js, Names: r.names}
		from, err := events.LatestOf(ctx, w.rel.Slot)
		if err != nil {
			return // the report has less then
		}
		enough := errors.New("all that is stored")
		_ = events.Follow(ctx, jetstream.Filter{Slot: w.rel.Slot, Rollout: w.rollout}, from-min(from, lookBack), func(_ uint64, e deployments.Event) error {
			if e.Name == "" {
				return enough
			}
			w.story.take(e)
			return nil
		})
	}
}

// failedURL leads to the query of the rule that failed, at its instant, where its Prometheus is known.
func (w *waiter) failedURL() string {
	if len(w.story.failed) == 0 || w.last == nil {
		return ""
	}
	e, err := w.last()
	if err != nil || e.State.Rollout == nil || e.State.Rollout.ID != w.rollout {
		return ""
	}
	j := w.story.failed[0]
	for _, q := range asked(j.Reading) {
		return link(e.State.Source, q[1], j.Reading.At)
	}
	return ""
}

// conclude reports an error that came before there was anything to wait for.
func (w *waiter) conclude(err error) error {
	if err == nil || w.over || exitCode(err) == exitUsage || !w.flags.reports() {
		return err
	}
	code := cmp.Or(exitCode(err), exitNo)
	if isUsage(err) { // an error without a status of its own
		code = exitNo
	}
	outcome := "failed"
	if code == exitUnreachable {
		outcome = "NATS cannot be reached"
	}
	if failed := w.deliver(w.complete(result{Outcome: outcome, Reason: err.Error(), Exit: code})); failed != nil {
		err = errors.Join(err, failed)
	}
	if w.flags.output == "github" {
		err = errors.New(inert(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	return exitError{code: code, err: err}
}
