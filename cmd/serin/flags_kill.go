package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/flags"
)

// killConfirm is how long a person's kill waits to be seen.
const killConfirm = 15 * time.Second

func newFlagsKill(env Env) *cobra.Command {
	var f flagFlags
	cmd := &cobra.Command{
		Use: "kill KEY", Short: "Turn a flag off for everybody, and see that it is off", Args: cobra.ExactArgs(1),
		Long: "Kill gives everybody what they had before: off, or the version before the rollout that wrote last. That rollout raises nothing again.\n" +
			"It is done when the flag's own system says so to synthetic users; the exit status is 4 when that was not seen.\n" +
			"With --direct it reaches the system that --policy names without NATS, and leaves no record there.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, env, args[0], func(ctx context.Context, p flagPlace, key string) error { return f.kill(ctx, env, p, key) })
		},
	}
	f.add(cmd)
	f.addPerson(cmd, "why")
	cmd.Flags().BoolVar(&f.direct, "direct", false, "do without NATS: reach the system that --policy names")
	return cmd
}

func (f *flagFlags) kill(ctx context.Context, env Env, p flagPlace, key string) error {
	change, err := flags.Apply(ctx, p, key, flags.KillByHand{})
	if err != nil {
		return err
	}
	seen, err := p.see(ctx, key, change.Want())
	if change.Written {
		f.record(ctx, env, p, key, change, &seen)
	}
	def, _ := change.After.Default()
	switch {
	case err != nil:
		return exitError{code: exitUnconfirmed, err: fmt.Errorf("%s was turned to %s, and nobody could look whether it is: %w", key, def, err)}
	case seen.Outcome != flags.Confirmed:
		return exitError{code: exitUnconfirmed, err: fmt.Errorf("%s was turned to %s, and is not: %s: %s", key, def, seen.Outcome, clean(seen.Detail))}
	}
	fmt.Fprintf(env.Stdout, "%s serves %s to all: %d users evaluated by %s in %v\n", key, def, seen.Users, p.source, seen.Took.Round(time.Millisecond/10))
	if m := change.Before.Mark(); m.Rollout != "" && !m.Killed && m.Share < flags.Total {
		fmt.Fprintf(env.Stdout, "rollout %s had it at %v %%, and may be under way: abort it with serin abort\n", m.Rollout, float64(m.Share)/100)
	}
	return nil
}

// see evaluates the flag until it is as wanted.
func (p flagPlace) see(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	ctx, cancel := context.WithTimeout(ctx, killConfirm)
	defer cancel()
	confirmer, done, err := p.confirm(ctx)
	if err != nil {
		return flags.Confirmation{Outcome: flags.Unverifiable, Detail: err.Error()}, err
	}
	defer done()
	return confirmer.Confirm(ctx, key, want)
}
