package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// waitStatuses is what commands that wait say of their end.
const waitStatuses = "Exit status: 0 promoted, 3 taken back and confirmed, 4 taken back but not confirmed, 5 aborted by a person, 6 waiting for a\n" +
	"person (with --exit-on-pause), 7 superseded, 8 timed out or cancelled while the rollout goes on, 9 refused, not ready, or nobody\n" +
	"took it in, 10 NATS cannot be reached."

// waitFlags say how a rollout is followed.
type waitFlags struct {
	timeout                    time.Duration
	exitOnPause, abortOnCancel bool
	output                     string
	junit, dotenv              string // files
}

// add gives a command the flags. when says when they count.
func (f *waitFlags) add(cmd *cobra.Command, when string) {
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, when+"give up after this long, while the rollout goes on (0: never)")
	cmd.Flags().BoolVar(&f.exitOnPause, "exit-on-pause", false, when+"end with status 6 when the rollout waits for approval or is paused")
	cmd.Flags().BoolVar(&f.abortOnCancel, "abort-on-cancel", false, when+"Ctrl-C and SIGTERM order an abort and wait for its end (default: they leave the rollout alone)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json (one object at the end), jsonl (one object an event, and that one), github (text with workflow commands, outputs\n"+
		"and a summary) or junit (XML at the end)")
	cmd.Flags().StringVar(&f.junit, "junit", "", "file for a JUnit report, beside any output")
	cmd.Flags().StringVar(&f.dotenv, "dotenv", "", "file for the facts as variables, beside any output: SERIN_OUTCOME, SERIN_ROLLOUT, …")
}

// validate refuses other outputs, and times that have passed.
func (f *waitFlags) validate() error {
	if f.timeout < 0 {
		return exitError{code: exitUsage, err: fmt.Errorf("--timeout %v has passed already: 0 is never", f.timeout)}
	}
	if slices.Contains([]string{"text", "json", "jsonl", "github", "junit"}, f.output) {
		return nil
	}
	return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, json, jsonl, github, junit", f.output)}
}

func newWait(env Env) *cobra.Command {
	var f waitFlags
	var at natsFlags
	var environment, version string
	var accept time.Duration
	cmd := &cobra.Command{
		Use:   "wait ROLLOUT|SERVICE",
		Short: "Follow a rollout to its end, and exit as it ended",
		Long: "Wait attaches to a rollout, also to one that has ended. Of a service it is the one under way, or else the last one. A release\n" +
			"that was published a moment ago may not be it yet: --version waits for that of a version, also before anybody has taken it in.\n" +
			"Where that version was taken back before, and is not published anew within --accept-timeout, what became of it then is the answer.\n" + waitStatuses,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.validate(); err != nil {
				return err
			}
			rel := deployments.Release{Slot: deployments.Slot{Environment: environment, Service: "any"}, Version: cmp.Or(version, "any")}
			if version != "" {
				rel.Service = args[0] // else it may be a rollout
			}
			if err := rel.Validate(); err != nil {
				return exitError{code: exitUsage, err: err}
			}
			rel.Service, rel.Version = args[0], version
			w := &waiter{env: env, flags: f, rel: rel, accept: accept, begin: env.Now()}
			return w.conclude(w.attach(cmd.Context(), at, args[0], version))
		},
	}
	at.add(cmd)
	cmd.Flags().StringVar(&environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&version, "version", "", "wait for the rollout of this version of SERVICE, also when it is about to be published")
	cmd.Flags().DurationVar(&accept, "accept-timeout", 30*time.Second, "with --version: how long somebody may take to take the release in")
	f.add(cmd, "")
	return cmd
}

// mostHistory is more rollouts than workers tell of.
const mostHistory = 1000

// lookBack is how far behind the newest event following begins: whoever answers may be a little behind with the journal.
const lookBack = 10_000

// attach connects, and follows what a person named.
func (w *waiter) attach(ctx context.Context, at natsFlags, name, version string) error {
	r, err := at.dial(ctx, w.env)
	if err != nil {
		return err
	}
	defer r.close()
	w.connect(ctx, r)
	if version != "" {
		return w.ofVersion(ctx, r)
	}
	w.accept = 0
	return w.toNamed(ctx, r, name)
}

// connect gives a waiter whom it can ask.
func (w *waiter) connect(ctx context.Context, r *remote) {
	w.command = r.client().Command
	w.last = func() (deployments.Entry, error) { return r.reader().Last(context.WithoutCancel(ctx), w.rel.Slot) }
	w.recalls(ctx, r)
}

// toNamed follows a rollout, or that of a service.
func (w *waiter) toNamed(ctx context.Context, r *remote, name string) error {
	environment := w.rel.Environment
	asking := context.WithoutCancel(ctx) // a cancel is obeyed once it is known what of
	e, past, err := r.named(asking, environment, name)
	switch {
	case errors.Is(err, jetstream.ErrNobody), errors.Is(err, nats.ErrConnectionClosed):
		return exitError{code: exitUnreachable, err: err}
	case err != nil:
		return err
	case past != nil:
		return w.finish(*w.past(*past))
	case e.State.Rollout == nil:
		w.rel.Slot = deployments.Slot{Environment: environment, Service: name}
		return w.finish(result{Outcome: "nothing to wait for", Exit: exitNotAccepted,
			Reason: fmt.Sprintf("%s has no service or rollout %q that releases are known of: `serin status` lists services, `serin history SERVICE -o json` rollouts", environment, name)})
	}
	if end := w.at(e); end != nil {
		return w.finish(*end)
	}
	events := jetstream.Events{JS: r.js, Names: r.names}
	from, err := events.LatestOf(asking, e.Slot)
	if err != nil {
		return exitError{code: exitUnreachable, err: err}
	}
	return w.wait(ctx, events, from-min(from, lookBack), nil)
}

// named is the slot's newest entry when name is a service or its newest rollout, or the summary of an older rollout. Where
// there is neither, the entry is zero. A rollout's id begins with its service, and both may have dashes.
func (r *remote) named(ctx context.Context, environment, name string) (deployments.Entry, *deployments.Summary, error) {
	var refused error // a user may see one service, and not those of other names
	for i := len(name); i > 0; i-- {
		s := deployments.Slot{Environment: environment, Service: name[:i]}
		if i < len(name) && name[i] != '-' || s.Validate() != nil {
			continue
		}
		e, err := r.reader().Last(ctx, s)
		switch {
		case errors.Is(err, nats.ErrPermissionViolation):
			refused = err
		case err != nil:
			return deployments.Entry{}, nil, err
		case e.State.Rollout == nil:
		case i == len(name), e.State.Rollout.ID == name:
			return e, nil, nil
		default:
			if past, err := r.past(ctx, s, name); past != nil || err != nil {
				return deployments.Entry{}, past, err
			}
		}
	}
	return deployments.Entry{}, nil, refused
}

// past is the summary of a slot's rollout.
func (r *remote) past(ctx context.Context, s deployments.Slot, rollout string) (*deployments.Summary, error) {
	all, err := r.reader().History(ctx, s, mostHistory)
	if i := slices.IndexFunc(all, func(s deployments.Summary) bool { return s.Rollout == rollout }); i >= 0 {
		return &all[i], nil
	}
	if err != nil {
		err = fmt.Errorf("look for %s in the history of %s: %w", rollout, s, err)
	}
	return nil, err
}

// past is the result of a rollout before the slot's newest.
func (w *waiter) past(s deployments.Summary) *result {
	w.rel = deployments.Release{Slot: s.Slot, ID: s.Release, Version: s.Version}
	w.rollout = s.Rollout
	d := deployments.EventData{Outcome: s.Outcome, Cause: s.Cause, Reason: s.Reason}
	if n := len(s.Confirmed); n > 0 {
		d.Percent = s.Confirmed[n-1]
	}
	if w.flags.prose() {
		w.say(fmt.Sprintf("%s %s %s: ended %s", s.Slot, s.Version, s.Rollout, s.Ended.UTC().Format(time.DateTime)))
	}
	return ended(d)
}

// at takes in where a slot's rollout is. It returns how it ended, once it has.
func (w *waiter) at(e deployments.Entry) *result {
	roll := *e.State.Rollout
	w.rel.Slot, w.rel.Version = e.Slot, roll.Version
	if e.State.Release != nil {
		w.rel.ID = cmp.Or(w.rel.ID, e.State.Release.ID)
	}
	w.rollout, w.seen, w.phase, w.paused, w.unconfirmed = roll.ID, e.Rev, roll.Phase, roll.Paused, roll.Outcome == steps.RestoreUnconfirmed
	w.now = fmt.Sprintf("%s %s %s: %s for %s", e.Slot, roll.Version, roll.ID, phase(roll), age(w.env.Now(), roll.Since))
	d := deployments.EventData{Outcome: roll.Outcome, Cause: roll.Cause, Percent: roll.Want.Percent()}
	if roll.Failure != nil {
		w.turned, d.Cause = roll.Failure.Reason, roll.Failure.Cause
		d.Reason, d.FromPercent = roll.Failure.Reason, roll.Failure.FromShare.Percent()
	}
	if w.flags.prose() {
		w.say(w.now)
	}
	w.back = d
	if roll.Phase == steps.Ended {
		return ended(d)
	}
	return nil
}
