package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

func newAck(env Env) *cobra.Command {
	var f natsFlags
	var environment string
	var a deployments.Ack
	var percent float64
	cmd := &cobra.Command{
		Use:   "ack SERVICE --rollout ID --seq N --percent P",
		Short: "Acknowledge a request for traffic, as the deployer that moved it",
		Long: "Ack answers a traffic.requested event of a policy with `traffic: {event: …}`: rollout, seq and percent are those of the\n" +
			"event, and the traffic is really there now.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			a.Percent = &percent
			reply, err := r.client().Ack(cmd.Context(), deployments.Slot{Environment: environment, Service: args[0]}, a)
			return answered(env, reply, err, "acknowledged")
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&a.Rollout, "rollout", "", "the event's rollout")
	cmd.Flags().Uint64Var(&a.Seq, "seq", 0, "the event's seq")
	cmd.Flags().Float64Var(&percent, "percent", 0, "percent of traffic that the new version has now")
	cmd.Flags().StringVar(&a.By, "by", "", "who moved it; on record beside the name that NATS vouches for, or as unverified")
	for _, name := range []string{"rollout", "seq", "percent"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flags stand above
		}
	}
	return cmd
}

// newPromote is the order that ends bakes.
func newPromote(env Env) *cobra.Command {
	c := steps.Command{Verb: steps.Promote}
	cmd := orderCommand(env, &c, "End this step's bake now; its rules must still pass")
	cmd.Long = "Promote ends the bake of the step that the rollout is in. With --full it ends those of all steps to come and gives their approvals.\n" +
		"Each step is still confirmed and every rule read in it: a failing rule takes the release back. Advance windows and freezes hold."
	cmd.Flags().BoolVar(&c.Full, "full", false, "all steps to come, approvals included")
	return cmd
}

// newOrder is the command for an order of a person.
func newOrder(env Env, verb steps.Verb, short string) *cobra.Command {
	return orderCommand(env, &steps.Command{Verb: verb}, short)
}

func orderCommand(env Env, c *steps.Command, short string) *cobra.Command {
	var f natsFlags
	var environment string
	cmd := &cobra.Command{
		Use:   string(c.Verb) + " SERVICE",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			if c.By == "" {
				c.By = env.Getenv("USER")
			}
			s := deployments.Slot{Environment: environment, Service: args[0]}
			if c.Rollout == "" {
				c.Rollout = r.meant(cmd.Context(), s)
			}
			reply, err := r.client().Command(cmd.Context(), s, string(c.Verb), *c)
			return answered(env, reply, err, string(c.Verb)+": done")
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&c.By, "by", "", "who orders it (default: USER); on record beside the name that NATS vouches for, or as unverified")
	cmd.Flags().StringVar(&c.Reason, "reason", "", "why")
	cmd.Flags().StringVar(&c.Rollout, "rollout", "", "the rollout that is meant (default: the one under way now)")
	return cmd
}

// meant is the rollout under way, as far as this user may know: an order that arrives late, from a worker that was
// frozen with it, must not be obeyed for the next one.
func (r *remote) meant(ctx context.Context, s deployments.Slot) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	last, err := r.reader().Last(ctx, s)
	if err != nil || !last.State.Live() {
		return ""
	}
	return last.Rollout
}

func newOrders(env Env) []*cobra.Command {
	return []*cobra.Command{
		newOrder(env, steps.Abort, "Take the release back; wins over everything"),
		newOrder(env, steps.Pause, "Do not advance; rules still roll back"),
		newOrder(env, steps.Resume, "Advance again"),
		newOrder(env, steps.Approve, "Let an awaited step begin"),
		newPromote(env),
		newOrder(env, steps.Retry, "Try again at once what is not confirmed, instead of after a pause"),
	}
}

// answered turns a worker's reply into what the command says.
func answered(env Env, r jetstream.Reply, err error, done string) error {
	switch {
	case errors.Is(err, jetstream.ErrNobody):
		return exitError{code: exitUnreachable, err: err}
	case err != nil:
		return err
	case !r.OK:
		return fmt.Errorf("refused: %s", clean(r.Error))
	}
	fmt.Fprintln(env.Stdout, done)
	return nil
}
