package main

import (
	"context"
	"errors"
	"fmt"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// copyFrom carries over what an embedded server has kept in a data directory. That server must be stopped.
func (f *setupFlags) copyFrom(ctx context.Context, env Env, r *remote) error {
	if f.url == "" {
		return exitError{code: exitUsage, err: errors.New("--from copies to another server: name it with --nats")}
	}
	s, err := jetstream.OpenStopped(ctx, env.Path(f.from), nil)
	if err != nil {
		return err
	}
	err = f.carryOver(ctx, env, r, s)
	return errors.Join(err, s.Shutdown())
}

func (f *setupFlags) carryOver(ctx context.Context, env Env, r *remote, s *jetstream.Server) error {
	nc, err := s.Connect(ctx, jetstream.ClientOptions{Name: "serin setup"})
	if err != nil {
		return err
	}
	defer nc.Close()
	from, err := natsjs.New(nc)
	if err != nil {
		return err
	}
	done, err := jetstream.Copy{From: from, To: r.js, Names: r.names, Now: env.Now}.Run(ctx)
	for _, part := range done.Parts {
		fmt.Fprintf(env.Stdout, "copied %d %s, found %d\n", part.Copied, part.What, part.Found)
	}
	if err != nil {
		return err
	}
	for _, what := range done.Untold {
		fmt.Fprintf(env.Stdout, "left: %s, which are told by serin serve on the old data only\n", what)
	}
	if len(done.Refused) > 0 {
		for _, what := range done.Refused {
			fmt.Fprintf(env.Stdout, "not copied: %s\n", what)
		}
		return fmt.Errorf("%d things on the new server are not as in %s", len(done.Refused), f.from)
	}
	if err := s.MarkMoved(f.url, env.Now()); err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "the journal before now, events and dead letters stay in %s, which serin serve refuses from now on\n", f.from)
	return nil
}
