package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

type releaseFlags struct {
	natsFlags
	waitFlags
	rel         deployments.Release
	environment string
	wait        bool
	accept      time.Duration
}

func newRelease(env Env) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:   "release SERVICE VERSION",
		Short: "Publish a release: the version runs and has no traffic yet",
		Long: "Release publishes the event that VERSION of SERVICE runs beside the stable version and has no traffic yet.\n" +
			"With --wait it follows the rollout to its end, as serin wait does.\n" + waitStatuses,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.rel.Slot = deployments.Slot{Environment: f.environment, Service: args[0]}
			f.rel.Version = args[1]
			return release(cmd.Context(), env, f)
		},
	}
	f.natsFlags.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&f.rel.ID, "id", "", "id of the event: the same id twice is the same release (default: of the version that waits, runs or was promoted last, its own, else a new one)")
	cmd.Flags().StringVar(&f.rel.Commit, "commit", "", "commit of the version")
	cmd.Flags().StringVar(&f.rel.Author, "author", "", "who made the release")
	cmd.Flags().StringVar(&f.rel.RunURL, "run-url", "", "page of the CI run")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "follow the rollout until it has ended")
	cmd.Flags().DurationVar(&f.accept, "accept-timeout", 30*time.Second, "with --wait: how long somebody may take to take the release in")
	f.waitFlags.add(cmd, "with --wait: ")
	return cmd
}

func release(ctx context.Context, env Env, f releaseFlags) error {
	if err := f.validate(); err != nil {
		return err
	}
	if err := f.rel.Validate(); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	w := &waiter{env: env, flags: f.waitFlags, rel: f.rel, accept: f.accept, begin: env.Now()}
	return w.conclude(w.release(ctx, f))
}

// release publishes the release, and follows it where that is wanted.
func (w *waiter) release(ctx context.Context, f releaseFlags) error {
	r, err := f.dial(ctx, w.env)
	if err != nil {
		return err
	}
	defer r.close()
	w.connect(ctx, r)
	events, asking := jetstream.Events{JS: r.js, Names: r.names}, context.WithoutCancel(ctx)
	from, err := events.LatestOf(asking, f.rel.Slot)
	if err != nil && !errors.Is(err, jetstream.ErrNobody) { // the release waits for a worker
		return exitError{code: exitNotAccepted, err: fmt.Errorf("%w: has serin serve run on this NATS?", err)}
	}
	again := f.identify(asking, r)
	w.rel = f.rel
	letters, err := r.deadLetters(f.rel.Slot, f.rel.ID)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("cancelled: nothing was published")
	}
	duplicate, err := r.publish(asking, f.rel, again) // once it is tried, a cancel is obeyed by the wait
	if err != nil {
		return exitError{code: exitUnreachable, err: err}
	}
	if f.prose() {
		fmt.Fprintln(w.env.Stdout, inert(fmt.Sprintf("released %s %s as %s", f.rel.Slot, f.rel.Version, f.rel.ID)))
	}
	if !f.wait {
		return w.finish(result{Outcome: "published"})
	}
	if duplicate {
		from = 0 // it was published before: what became of it is among the stored events
	}
	return w.wait(ctx, events, from, letters)
}

// again says when a release of an id that was published within the hour is stored once more.
type again int

const (
	never     again = iota // the same id is the same release
	whenKnown              // if NATS has had it: the slot has not, or has refused it
	always                 // the slot knows better than the id what it is a duplicate of
)

// identify gives the release an id, unless it has one.
func (f *releaseFlags) identify(ctx context.Context, r *remote) again {
	last, err := r.reader().Last(ctx, f.rel.Slot)
	named := f.rel.ID != ""
	if !named {
		f.rel.ID = jetstream.ReleaseID(f.rel, last)
	}
	switch {
	case err != nil: // nobody can say what became of it
		return never
	case !named:
		return always
	case last.Rev == 0 || last.Refused(f.rel.ID):
		return whenKnown
	}
	return never
}

// publish stores the release. duplicate: it was stored before, and is not stored again.
func (r *remote) publish(ctx context.Context, rel deployments.Release, a again) (duplicate bool, err error) {
	attempt := ""
	if a == always {
		attempt = rand.Text()
	}
	_, duplicate, err = jetstream.PublishAttempt(ctx, r.js, r.names, rel, attempt)
	if duplicate && a == whenKnown {
		_, duplicate, err = jetstream.PublishAttempt(ctx, r.js, r.names, rel, rand.Text())
	}
	return duplicate, err
}
