package traffic

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/serin-cd/serin/steps"
)

const defaultSettle = 2 * time.Second

// Exec moves traffic by running a command. Its fields are the mover of a policy and the slot it is for.
type Exec struct {
	Set  []string // sets an absolute share; {{share}}, {{percent}}, {{version}}, {{stable}}, {{service}}, {{environment}}, {{rollout}}, {{seq}} are filled in
	Read []string // prints the percentage the new version has: 25, 25% or 25.0; empty: nothing is confirmed

	Service, Environment string

	Rollout string // with Seq it is the same in every try of one request, and in no other: an idempotency key
	Seq     uint64 // rises within a rollout

	Dir   string        // where the commands run; "" is the daemon's own directory
	Env   []string      // KEY=value, for example PATH; the SERIN_* variables are added
	Grace time.Duration // from being asked to end until being killed; 0 is 2 s

	Settle time.Duration // how long after Set the share read back may still be another one; 0 is 2 s
}

// Expose sets the share, and reads it back when there is a command for that. An error says which command, how it
// ended, and its last lines; or that the share is still another one when Settle is over, which is then returned too.
func (x Exec) Expose(ctx context.Context, e steps.Exposure) (steps.Observed, error) {
	if _, err := x.run(ctx, x.Set, e); err != nil {
		return steps.Observed{}, fmt.Errorf("set traffic to %s: %w", e.Share, err)
	}
	if len(x.Read) == 0 {
		return steps.Observed{Share: e.Share, How: "the command ended well, and nothing reads the share back"}, nil
	}
	seen, err := x.settle(ctx, e)
	if err != nil {
		return seen, fmt.Errorf("read traffic back after setting it to %s: %w", e.Share, err)
	}
	return seen, nil
}

// settle reads until the share is the one asked for: many routers take a new configuration over a moment after they
// were told, and to tell them again would only make it longer.
func (x Exec) settle(ctx context.Context, e steps.Exposure) (steps.Observed, error) {
	const between = 100 * time.Millisecond
	over := time.NewTimer(cmp.Or(x.Settle, defaultSettle))
	defer over.Stop()
	again := time.NewTicker(between)
	defer again.Stop()
	for {
		got, err := x.read(ctx, e)
		if err != nil {
			return steps.Observed{}, err
		}
		if got == e.Share {
			return steps.Observed{Share: got, Confirmed: true, How: "read back by " + x.Read[0]}, nil
		}
		err = fmt.Errorf("%s says %s", x.Read[0], got)
		select {
		case <-again.C:
		case <-over.C:
			return steps.Observed{Share: got}, err
		case <-ctx.Done():
			return steps.Observed{Share: got}, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

func (x Exec) read(ctx context.Context, e steps.Exposure) (steps.Share, error) {
	out, err := x.run(ctx, x.Read, e)
	if err != nil {
		return 0, err
	}
	got, err := parsePercentage(out)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", x.Read[0], err)
	}
	return got, nil
}

// run fills in one command, runs it, and returns what it printed on its standard output.
func (x Exec) run(ctx context.Context, template []string, e steps.Exposure) (string, error) {
	argv, err := fill(template, x.variables(e))
	if err != nil {
		return "", err
	}
	return command{argv: argv, dir: x.Dir, env: x.environ(e), grace: x.Grace}.run(ctx)
}
