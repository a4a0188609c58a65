package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/natskv"
	"github.com/serin-cd/serin/flags/openfeature"
)

// flagFlags say which flags are meant, and who asks.
type flagFlags struct {
	natsFlags
	environment, policy, by, reason string
	direct                          bool
}

// addOwn adds what Serin's own flags need.
func (f *flagFlags) addOwn(cmd *cobra.Command) {
	f.natsFlags.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", "", "environment (default: "+deployments.DefaultEnvironment+")")
}

// add adds what flags of any system need.
func (f *flagFlags) add(cmd *cobra.Command) {
	f.addOwn(cmd)
	cmd.Flags().StringVar(&f.policy, "policy", "", "policy file that names the system that keeps the flag; without it the flags are Serin's own")
}

func (f *flagFlags) addPerson(cmd *cobra.Command, reason string) {
	cmd.Flags().StringVar(&f.by, "by", "", "who does it (default: USER)")
	cmd.Flags().StringVar(&f.reason, "reason", "", reason)
}

// person is who does it: written from here, so nobody vouches for the name.
func (f *flagFlags) person(env Env) string {
	by := f.by
	if by == "" {
		by = env.Getenv("USER")
	}
	if by == "" {
		return ""
	}
	return jetstream.Actor{}.Record(by)
}

// flagPlace is where flags are kept, what evaluates them, and who keeps the record.
type flagPlace struct {
	flags.Store
	source  *flags.Source
	kv      natsjs.KeyValue                                                // of Serin's own
	confirm func(ctx context.Context) (flags.Confirmer, func(), error)     // opens what evaluates
	audit   func(ctx context.Context, change deployments.FlagChange) error // nothing, without NATS
}

// run opens the place and does one thing to the flag.
func (f *flagFlags) run(cmd *cobra.Command, env Env, key string, do func(context.Context, flagPlace, string) error) error {
	if err := flags.ValidKey(key); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	return f.in(cmd, env, func(ctx context.Context, p flagPlace) error { return do(ctx, p, flags.StoreKey(f.environment, key)) })
}

// in opens the place where the flags are kept.
func (f *flagFlags) in(cmd *cobra.Command, env Env, do func(context.Context, flagPlace) error) error {
	source, err := f.source(env)
	if err != nil {
		return err
	}
	if f.environment == "" {
		f.environment = deployments.DefaultEnvironment
	}
	var p flagPlace
	if f.direct {
		p = flagPlace{audit: func(context.Context, deployments.FlagChange) error { return errors.New("--direct does without NATS") }}
	} else {
		r, err := f.dial(cmd.Context(), env)
		if err != nil {
			return err
		}
		defer r.close()
		if p, err = r.flagPlace(cmd.Context(), source == nil); err != nil {
			return err
		}
	}
	if source != nil {
		x, err := openSource(*source)
		if err != nil {
			return fmt.Errorf("flags of %s: %w", source, err)
		}
		p.Store, p.source = x.Store, source
		p.confirm = func(context.Context) (flags.Confirmer, func(), error) { return x.Confirmer, func() {}, nil }
	}
	return do(cmd.Context(), p)
}

// source is the system that the policy names; nil for Serin itself.
func (f *flagFlags) source(env Env) (*flags.Source, error) {
	if f.policy == "" && f.direct {
		return nil, exitError{code: exitUsage, err: errors.New("--direct reaches the system that a policy names, without NATS: add --policy FILE (Serin's own flags are in NATS)")}
	}
	if f.policy == "" {
		return nil, nil
	}
	files, findings, err := readPolicies(env, []string{f.policy})
	if err == nil {
		err = findings.Err()
	}
	if err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	for _, file := range files {
		for _, p := range file.policies {
			if f.environment == "" || p.Environment == f.environment {
				f.environment = p.Environment
				if p.Flags == nil && f.direct {
					return nil, exitError{code: exitUsage, err: fmt.Errorf("%s keeps its flags in Serin, which is in NATS: there is no way around it", p.Slot)}
				}
				return p.Flags, nil
			}
		}
	}
	return nil, exitError{code: exitUsage, err: fmt.Errorf("%s has no policy for %s", f.policy, f.environment)}
}

// flagPlace is Serin's own flags, where they are wanted, and its record.
func (r *remote) flagPlace(ctx context.Context, own bool) (flagPlace, error) {
	p := flagPlace{audit: func(ctx context.Context, c deployments.FlagChange) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return jetstream.Audit{JS: r.js, Names: r.names}.Record(ctx, c)
	}}
	if !own {
		return p, nil
	}
	kv, err := r.flags(ctx)
	if err != nil {
		return p, fmt.Errorf("open the flags: %w: has serin serve run on this NATS?", err)
	}
	p.kv, p.Store = kv, natskv.Store{KV: kv}
	p.confirm = func(ctx context.Context) (flags.Confirmer, func(), error) {
		c, err := openfeature.OpenConfirmer(ctx, r.js, r.names.Bucket(jetstream.FlagsBucket))
		if err != nil {
			return nil, nil, err
		}
		return c, func() { _ = c.Close(context.WithoutCancel(ctx)) }, nil
	}
	return p, nil
}
