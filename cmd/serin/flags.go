package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/flags"
)

func newFlags(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "flags", Short: "Look at flags, create them, turn them off, and release their latch"}
	cmd.AddCommand(newFlagsList(env), newFlagsGet(env), newFlagsSet(env), newFlagsKill(env), newFlagsReset(env), newFlagsLog(env))
	return cmd
}

func newFlagsGet(env Env) *cobra.Command {
	var f flagFlags
	cmd := &cobra.Command{
		Use: "get KEY", Short: "Print a flag as it is stored", Args: cobra.ExactArgs(1),
		Long: "Get prints a flag's definition. Of a system that --policy names it prints one that says the same.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, env, args[0], func(ctx context.Context, p flagPlace, key string) error {
				flag, _, err := p.Get(ctx, key)
				if err != nil {
					return err
				}
				return printJSON(env.Stdout, json.RawMessage(flag.Bytes()))
			})
		},
	}
	f.add(cmd)
	return cmd
}

func newFlagsSet(env Env) *cobra.Command {
	var f flagFlags
	cmd := &cobra.Command{
		Use: "set KEY VALUE", Short: "Create a flag of Serin's own, or set what it serves to all",
		Long: "Set makes KEY serve VALUE to all: on or off for a feature flag, else a version. A flag in the middle of a rollout is refused.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, env, args[0], func(ctx context.Context, p flagPlace, key string) error { return f.set(ctx, env, p, key, args[1]) })
		},
	}
	f.addOwn(cmd)
	f.addPerson(cmd, "why")
	return cmd
}

func newFlagsReset(env Env) *cobra.Command {
	var f flagFlags
	cmd := &cobra.Command{
		Use: "reset KEY", Short: "Let a feature flag that was turned off be ramped again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, env, args[0], func(ctx context.Context, p flagPlace, key string) error { return f.reset(ctx, env, p, key) })
		},
	}
	f.add(cmd)
	f.addPerson(cmd, "why it may be on again")
	return cmd
}

// set makes the flag serve the value to all. What else stands in it is kept.
func (f *flagFlags) set(ctx context.Context, env Env, p flagPlace, key, value string) error {
	old, revision, err := p.Get(ctx, key)
	if err != nil && !errors.Is(err, flags.ErrNotFound) {
		return err
	}
	if m := old.Mark(); old.Exists() && m.Ramps() {
		return fmt.Errorf("flag %s is in the middle of rollout %s: abort it first", key, m.Rollout)
	}
	next, err := serving(old, key, value)
	if err != nil {
		return err
	}
	if _, err := p.Update(ctx, key, next, revision); err != nil {
		return err
	}
	f.record(ctx, env, p, key, flags.Change{Before: old, After: next, Written: true}, nil)
	fmt.Fprintf(env.Stdout, "%s serves %s to all\n", key, value)
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

func (f *flagFlags) reset(ctx context.Context, env Env, p flagPlace, key string) error {
	change, err := flags.Apply(ctx, p, key, flags.Reset{By: f.person(env), Reason: f.reason})
	if err != nil {
		return err
	}
	if !change.Written {
		fmt.Fprintf(env.Stdout, "%s was not latched\n", key)
		return nil
	}
	f.record(ctx, env, p, key, change, nil)
	fmt.Fprintf(env.Stdout, "%s may be ramped again\n", key)
	return nil
}

// record keeps what a person did. Where it cannot be kept, the deed is done all the same, and that is said.
func (f *flagFlags) record(ctx context.Context, env Env, p flagPlace, key string, c flags.Change, seen *flags.Confirmation) {
	environment, flag := flags.SplitKey(key)
	r := deployments.FlagChange{At: env.Now(), Environment: environment, Flag: flag, Source: p.source.String(), By: f.person(env), Why: f.reason}
	if c.Before.Exists() {
		r.Before = c.Before.Bytes()
	}
	r.After = c.After.Bytes()
	if seen != nil {
		r = r.Seen(*seen, nil)
	}
	if err := p.audit(ctx, r); err != nil {
		fmt.Fprintf(env.Stderr, "serin: no record was kept: %v\n", err)
	}
}
