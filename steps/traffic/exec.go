package traffic

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Exec moves traffic by running a command. Its fields are the mover of a policy and the slot it is for.
type Exec struct {
	Set  []string // sets an absolute share; {{share}}, {{percent}}, {{version}}, {{stable}}, {{service}}, {{environment}} are filled in
	Read []string // prints the percentage the new version has: 25, 25% or 25.0; empty: nothing is confirmed

	Service, Environment string

	Dir   string        // where the commands run; "" is the daemon's own directory
	Env   []string      // KEY=value, added to PATH, HOME and the SERIN_* variables
	Grace time.Duration // from being asked to end until being killed; 0 is 2 s
}

// Expose sets the share, and reads it back when there is a command for that. An error says which command, how it
// ended, and its last lines. A share read back that is another than the one asked for is no error, and not confirmed.
func (x Exec) Expose(ctx context.Context, e steps.Exposure) (steps.Observed, error) {
	if _, err := x.run(ctx, x.Set, e); err != nil {
		return steps.Observed{}, fmt.Errorf("set traffic to %s: %w", e.Share, err)
	}
	if len(x.Read) == 0 {
		return steps.Observed{Share: e.Share, How: "the command ended well, and nothing reads the share back"}, nil
	}
	out, err := x.run(ctx, x.Read, e)
	if err != nil {
		return steps.Observed{}, fmt.Errorf("read traffic back after setting it to %s: %w", e.Share, err)
	}
	got, err := parsePercentage(out)
	if err != nil {
		return steps.Observed{}, fmt.Errorf("read traffic back after setting it to %s: %s: %w", e.Share, x.Read[0], err)
	}
	if got != e.Share {
		return steps.Observed{Share: got, How: fmt.Sprintf("%s says %s, not %s", x.Read[0], got, e.Share)}, nil
	}
	return steps.Observed{Share: got, Confirmed: true, How: "read back by " + x.Read[0]}, nil
}

// run fills in one command, runs it, and returns what it printed on its standard output.
func (x Exec) run(ctx context.Context, template []string, e steps.Exposure) (string, error) {
	argv, err := fill(template, x.variables(e))
	if err != nil {
		return "", err
	}
	return command{argv: argv, dir: x.Dir, env: x.environ(e), grace: x.Grace}.run(ctx)
}
