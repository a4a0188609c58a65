package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/natskv"
)

func newFlags(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "flags", Short: "Look at Serin's own flags, create them, and release their latch"}
	var set, get, reset flagFlags
	getCmd := &cobra.Command{
		Use: "get KEY", Short: "Print a flag as it is stored", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return get.run(cmd, env, args[0], get.print) },
	}
	setCmd := &cobra.Command{
		Use: "set KEY VALUE", Short: "Create a flag, or set what it serves to all",
		Long: "Set makes KEY serve VALUE to all: on or off for a feature flag, else a version. A flag in the middle of a rollout is refused.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			set.value = args[1]
			return set.run(cmd, env, args[0], set.set)
		},
	}
	resetCmd := &cobra.Command{
		Use: "reset KEY", Short: "Let a feature flag that was turned off be ramped again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return reset.run(cmd, env, args[0], reset.reset) },
	}
	get.add(getCmd)
	set.add(setCmd)
	reset.add(resetCmd)
	resetCmd.Flags().StringVar(&reset.by, "by", "", "who releases it (default: USER)")
	resetCmd.Flags().StringVar(&reset.reason, "reason", "", "why it may be on again")
	cmd.AddCommand(getCmd, setCmd, resetCmd)
	return cmd
}

type flagFlags struct {
	natsFlags
	environment, value, by, reason string
}

func (f *flagFlags) add(cmd *cobra.Command) {
	f.natsFlags.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment")
}

// run opens the store and does one thing to the flag.
func (f *flagFlags) run(cmd *cobra.Command, env Env, key string, do func(context.Context, Env, flags.Store, string) error) error {
	if err := flags.ValidKey(key); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	r, err := f.dial(cmd.Context(), env)
	if err != nil {
		return err
	}
	defer r.close()
	kv, err := r.flags(cmd.Context())
	if err != nil {
		return fmt.Errorf("open the flags: %w: has serin serve run on this NATS?", err)
	}
	return do(cmd.Context(), env, natskv.Store{KV: kv}, flags.StoreKey(f.environment, key))
}

func (f *flagFlags) print(ctx context.Context, env Env, s flags.Store, key string) error {
	flag, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	return printJSON(env.Stdout, json.RawMessage(flag.Bytes()))
}

func (f *flagFlags) set(ctx context.Context, env Env, s flags.Store, key string) error {
	old, revision, err := s.Get(ctx, key)
	if err != nil && !errors.Is(err, flags.ErrNotFound) {
		return err
	}
	if m := old.Mark(); old.Exists() && m.Share > 0 && m.Share < flags.Total {
		return fmt.Errorf("flag %s is in the middle of rollout %s: abort it first", key, m.Rollout)
	}
	next, err := serving(old, key, f.value)
	if err != nil {
		return err
	}
	if _, err := s.Update(ctx, key, next, revision); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s serves %s to all\n", key, f.value)
	return nil
}

// serving is the flag with VALUE for everybody. What else stands in it is kept.
func serving(old flags.Flag, key, value string) (flags.Flag, error) {
	_, name := flags.SplitKey(key)
	fields := map[string]any{"state": "ENABLED"}
	variants := map[string]any{}
	if old.Exists() {
		if err := json.Unmarshal(old.Bytes(), &fields); err != nil {
			return flags.Flag{}, err
		}
		if v, ok := fields["variants"].(map[string]any); ok {
			variants = v
		}
	}
	if value == "on" || value == "off" {
		variants["on"], variants["off"] = true, false
	} else {
		variants[value] = value
	}
	fields["variants"], fields["targeting"], fields["defaultVariant"] = variants, map[string]any{}, value
	text, err := json.Marshal(fields)
	if err != nil {
		return flags.Flag{}, err
	}
	return flags.Parse(name, text)
}

func (f *flagFlags) reset(ctx context.Context, env Env, s flags.Store, key string) error {
	if f.by == "" {
		f.by = env.Getenv("USER")
	}
	if f.by != "" {
		f.by = jetstream.Actor{}.Record(f.by) // the flag is written from here: nobody vouches for the name
	}
	change, err := flags.Apply(ctx, s, key, flags.Reset{By: f.by, Reason: f.reason})
	if err != nil {
		return err
	}
	if !change.Written {
		fmt.Fprintf(env.Stdout, "%s was not latched\n", key)
		return nil
	}
	fmt.Fprintf(env.Stdout, "%s may be ramped again\n", key)
	return nil
}
