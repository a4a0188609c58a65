package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

func newStatus(env Env) *cobra.Command {
	var f natsFlags
	var environment, output string
	cmd := &cobra.Command{
		Use:   "status [SERVICE]",
		Short: "Say where rollouts are",
		Long: "Status tells of a service's rollout: its step and share of traffic, what it waits for, what its rules read last. Without\n" +
			"SERVICE it lists every service, of all environments or of --env.",
		Example: "  serin status\n" +
			"  serin status checkout\n" +
			"  serin status --env staging -o json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			if len(args) == 0 {
				only := environment
				if !cmd.Flags().Changed("env") {
					only = ""
				}
				return statusOfAll(cmd.Context(), env, r, only, output)
			}
			return statusOf(cmd.Context(), env, r, deployments.Slot{Environment: environment, Service: args[0]}, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "env", deployments.DefaultEnvironment, "environment (without SERVICE: all)")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func statusOfAll(ctx context.Context, env Env, r *remote, environment, output string) error {
	all, err := r.reader().Slots(ctx, environment)
	if err != nil {
		return err
	}
	sort.Slice(all, func(a, b int) bool { return all[a].Slot.String() < all[b].Slot.String() })
	if output == "json" {
		return printJSON(env.Stdout, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(env.Stdout, "no rollouts yet")
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENVIRONMENT\tSERVICE\tVERSION\tSTABLE\tPHASE\tSTEP\tTRAFFIC\tSINCE\tNOTE")
	for _, e := range all {
		if roll := e.State.Rollout; roll != nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Slot.Environment, e.Slot.Service, clean(roll.Version), clean(orDash(e.State.Stable)),
				phase(*roll), stepOf(*roll), clean(roll.Reached()), age(env.Now(), roll.Since), clean(e.Note))
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t-\t%s\t-\t-\t-\t%s\t%s\n", e.Slot.Environment, e.Slot.Service, clean(orDash(e.State.Stable)), age(env.Now(), e.At), clean(e.Note))
	}
	return w.Flush()
}

// stepOf is where a rollout is among its steps.
func stepOf(r steps.Rollout) string {
	if r.Phase == steps.Ended || r.Phase == steps.Pending {
		return "-"
	}
	return fmt.Sprintf("%d of %d", r.Step+1, len(r.Plan.Steps))
}

// statusOf asks the worker that holds the slot, which knows the readings; when nothing is under way the journal tells.
func statusOf(ctx context.Context, env Env, r *remote, s deployments.Slot, output string) error {
	e, err := r.reader().Last(ctx, s)
	if err != nil {
		return err
	}
	if e.Rev == 0 {
		return fmt.Errorf("%s has no releases yet", s)
	}
	asked := deployments.Asked{Slot: s, Rev: e.Rev, State: e.State, Readings: []analysis.Judgement{}}
	if e.State.Live() {
		reply, err := jetstream.Client{Conn: r.nc, Names: r.names, Timeout: time.Second}.Ask(ctx, s, nil)
		switch {
		case err == nil && reply.OK:
			err = json.Unmarshal(reply.State, &asked)
		case errors.Is(err, jetstream.ErrNobody):
			err = nil // between two workers: the journal is all there is
		}
		if err != nil {
			return err
		}
	}
	if output == "json" {
		return printJSON(env.Stdout, asked)
	}
	printStatus(env.Stdout, env.Now(), asked, e)
	return nil
}

func printStatus(w io.Writer, now time.Time, a deployments.Asked, e deployments.Entry) {
	r := a.State.Rollout
	if r == nil {
		fmt.Fprintf(w, "%s: %s\n", a.Slot, clean(e.Note))
		return
	}
	fmt.Fprintf(w, "%s  %s (stable %s)\n", a.Slot, clean(r.Version), clean(orDash(r.Stable)))
	fmt.Fprintf(w, "  rollout   %s\n  phase     %s for %s\n", r.ID, phase(*r), age(now, r.Since))
	fmt.Fprintf(w, "  steps     %s\n", rail(*r))
	fmt.Fprintf(w, "  traffic   requested %s, confirmed %s\n", clean(r.Requested()), clean(r.Reached()))
	if ok, why, again := r.Plan.MayAdvance(now); !ok && r.Failure == nil && r.Phase != steps.Ended {
		fmt.Fprintf(w, "  waits     %s, until %s\n", why, again.Format(time.DateTime+" MST"))
	}
	if r.Hold != nil {
		fmt.Fprintf(w, "  holding   %s, for %s\n", clean(r.Hold.String()), age(now, r.Hold.Since))
	}
	if r.Failure != nil {
		fmt.Fprintf(w, "  failed    %s: %s\n", r.Failure.Cause, clean(r.Failure.Reason))
		for _, action := range r.Failure.Actions {
			state := "not confirmed yet"
			if !action.Confirmed.IsZero() {
				state = "confirmed " + action.How
			}
			fmt.Fprintf(w, "  action    %s %s\n", strings.TrimSpace(string(action.Kind)+" "+action.Key), clean(state))
		}
	}
	if r.LastError != "" {
		fmt.Fprintf(w, "  trouble   %s\n", clean(r.LastError))
	}
	for _, j := range newest(a.Readings) {
		fmt.Fprintf(w, "  rule      %-20s %-12s %s\n", j.Rule, j.Verdict, clean(j.Reason))
	}
	for _, q := range a.State.Queue {
		fmt.Fprintf(w, "  waiting   %s\n", clean(q.Release.Version))
	}
	fmt.Fprintf(w, "  last      %s  %s\n", e.At.Format(time.DateTime), clean(e.Note))
}

// newest is the last reading of each rule.
func newest(js []analysis.Judgement) []analysis.Judgement {
	at := map[string]int{}
	var out []analysis.Judgement
	for _, j := range js {
		if i, ok := at[j.Rule]; ok {
			out[i] = j
			continue
		}
		at[j.Rule] = len(out)
		out = append(out, j)
	}
	return out
}

// rail shows the steps: done, the present one, to come.
func rail(r steps.Rollout) string {
	var out []string
	for i, s := range r.Plan.Steps {
		text := clean(s.String())
		if i == r.Step && r.Phase != steps.Ended {
			text = "[" + text + "]"
		}
		out = append(out, text)
	}
	return strings.Join(out, " → ")
}

func phase(r steps.Rollout) string {
	if r.Phase == steps.Ended {
		return strings.TrimSpace(string(r.Outcome) + " " + string(r.Cause))
	}
	s := string(r.Phase)
	if r.Paused {
		s += ", paused"
	}
	if r.Unconfirmed {
		s += ", unconfirmed"
	}
	if r.Hold != nil {
		s += ", holding"
	}
	return s
}

func age(now, since time.Time) string {
	return max(now.Sub(since), 0).Round(time.Second).String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
