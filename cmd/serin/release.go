package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

type releaseFlags struct {
	natsFlags
	rel             deployments.Release
	environment     string
	wait            bool
	accept, timeout time.Duration
	output          string
}

func newRelease(env Env) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "release SERVICE VERSION",
		Short: "Publish a release: the version runs and has no traffic yet",
		Long: "Release publishes the event that VERSION of SERVICE runs beside the stable version and has no traffic yet.\n" +
			"With --wait it follows the rollout to its end. Exit status: 0 promoted, 3 taken back and confirmed, 4 taken back but not\n" +
			"confirmed, 5 aborted by a person, 7 superseded, 8 timed out while the rollout goes on, 9 refused or nobody took it in, 10 NATS\n" +
			"cannot be reached.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.rel.Slot = deployments.Slot{Environment: f.environment, Service: args[0]}
			f.rel.Version = args[1]
			return release(cmd.Context(), env, f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&f.rel.ID, "id", "", "id of the event: the same id twice is the same release (default: from service, version and commit, and another one after the version was taken back)")
	cmd.Flags().StringVar(&f.rel.Commit, "commit", "", "commit of the version")
	cmd.Flags().StringVar(&f.rel.Author, "author", "", "who made the release")
	cmd.Flags().StringVar(&f.rel.RunURL, "run-url", "", "page of the CI run")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "follow the rollout until it has ended")
	cmd.Flags().DurationVar(&f.accept, "accept-timeout", 30*time.Second, "with --wait: how long somebody may take to take the release in")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "with --wait: give up after this long, while the rollout goes on (0: never)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json (one object at the end)")
	return cmd
}

func release(ctx context.Context, env Env, f releaseFlags) error {
	if err := textOrJSON(f.output); err != nil {
		return err
	}
	if err := f.rel.Validate(); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	r, err := f.dial(ctx, env)
	if err != nil {
		return err
	}
	defer r.close()
	events := jetstream.Events{JS: r.js, Names: r.names}
	from, err := events.LatestOf(ctx, f.rel.Slot)
	if err != nil && !errors.Is(err, jetstream.ErrNobody) { // the release waits for a worker
		return exitError{code: exitNotAccepted, err: fmt.Errorf("%w: has serin serve run on this NATS?", err)}
	}
	f.identify(ctx, r)
	w := &waiter{env: env, flags: f, client: r.client(), begin: env.Now()}
	letters, err := r.deadLetters(f.rel.Slot, f.rel.ID)
	if err != nil {
		return err
	}
	_, duplicate, err := jetstream.PublishRelease(ctx, r.js, r.names, f.rel)
	if err != nil {
		return exitError{code: exitUnreachable, err: err}
	}
	if f.output == "text" {
		fmt.Fprintf(env.Stdout, "released %s %s as %s\n", f.rel.Slot, f.rel.Version, f.rel.ID)
	}
	if !f.wait {
		return nil
	}
	if duplicate {
		from = 0 // it was published before: what became of it is among the stored events
	}
	return w.wait(ctx, events, from, letters)
}

// identify gives the release an id, unless it has one.
func (f *releaseFlags) identify(ctx context.Context, r *remote) {
	f.rel.ID = cmp.Or(f.rel.ID, r.releaseID(ctx, f.rel))
}

// releaseID is the id of a release that names none. Where nobody can say what became of the version, it is no other
// attempt.
func (r *remote) releaseID(ctx context.Context, rel deployments.Release) string {
	last, _ := r.reader().Last(ctx, rel.Slot)
	return jetstream.ReleaseID(rel, last)
}

// result is how a wait ended: the last line with -o json.
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

func (w *waiter) finish(r result, code int) error {
	r.Service, r.Environment, r.Version, r.Release = w.flags.rel.Service, w.flags.rel.Environment, w.flags.rel.Version, w.flags.rel.ID
	r.Rollout, r.Exit, r.Seconds = w.rollout, code, w.env.Now().Sub(w.begin).Seconds()
	if w.flags.output == "json" {
		if err := json.NewEncoder(w.env.Stdout).Encode(r); err != nil {
			return err
		}
	}
	switch {
	case code == exitOK:
		return nil
	case w.flags.output == "json":
		return exitError{code: code}
	case r.Reason != "":
		return exitError{code: code, err: fmt.Errorf("%s: %s", r.Outcome, clean(r.Reason))}
	}
	return exitError{code: code, err: errors.New(r.Outcome)}
}
