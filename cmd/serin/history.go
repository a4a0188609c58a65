package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

func newHistory(env Env) *cobra.Command {
	var f natsFlags
	var environment, output string
	var n int
	cmd := &cobra.Command{
		Use:   "history SERVICE",
		Short: "Say what became of a service's releases, newest first",
		Long: "History tells of the rollouts of a service: when, from which version, how they ended and why. RESTORE is the time from the\n" +
			"first bad reading to no traffic on the new version, confirmed. It reaches further back than the journal: of each finished\n" +
			"rollout a summary stays when its entries are purged.",
		Example: "  serin history checkout\n  serin history checkout --env production -n 5\n  serin history checkout -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			usage := func(err error) error { return exitError{code: exitUsage, err: err} }
			s := deployments.Slot{Environment: environment, Service: args[0]}
			if err := textOrJSON(output); err != nil {
				return err
			}
			switch {
			case n < 1:
				return usage(fmt.Errorf("-n %d: show at least 1", n))
			case s.Validate() != nil:
				return usage(s.Validate())
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			return history(cmd.Context(), env, r, s, n, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().IntVarP(&n, "number", "n", 20, "rollouts shown")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func history(ctx context.Context, env Env, r *remote, s deployments.Slot, n int, output string) error {
	all, err := r.reader().History(ctx, s, n)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(env.Stdout, all)
	}
	if len(all) == 0 {
		return fmt.Errorf("%s has had no rollouts yet", s)
	}
	return printHistory(env.Stdout, env.Now(), all)
}

func printHistory(out io.Writer, now time.Time, all []deployments.Summary) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BEGAN (UTC)\tVERSION\tFROM\tOUTCOME\tCAUSE\tREACHED\tTOOK\tRESTORE\tFAILED RULES")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Began.UTC().Format(time.DateTime), clean(s.Version), clean(orDash(s.Stable)), outcome(s),
			orDash(string(s.Cause)), clean(reached(s)), took(now, s),
			lastingOrDash(deployments.NewAccount(s).Restore), clean(orDash(strings.Join(s.Rules, ", "))))
	}
	return w.Flush()
}

// outcome is how a rollout ended, or where it is.
func outcome(s deployments.Summary) string {
	if s.Phase != steps.Ended {
		return "live: " + string(s.Phase)
	}
	return string(s.Outcome)
}

// reached lists the confirmed shares: "5 → 25 → 100 %"; before them there may have been an audience alone.
func reached(s deployments.Summary) string {
	if len(s.Confirmed) == 0 {
		return orDash(s.Audience.String())
	}
	var text []string
	for _, p := range s.Confirmed {
		text = append(text, strconv.FormatFloat(p, 'f', -1, 64))
	}
	return strings.Join(text, " → ") + " %"
}

func took(now time.Time, s deployments.Summary) string {
	if s.Phase != steps.Ended {
		return age(now, s.Began)
	}
	return age(s.Ended, s.Began)
}

// keepFor reads how long finished rollouts are kept; 0 is for ever.
func keepFor(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	keep := time.Duration(d)
	if err != nil || keep != 0 && keep < jetstream.MinRetention {
		return 0, fmt.Errorf("--retention %q: write for example 400d, at least 1h, or 0 to keep everything", text)
	}
	return keep, nil
}

// keepHistory summarizes rollouts as they end, and purges those that ended long ago.
func (d *daemon) keepHistory(ctx context.Context) error {
	summaries := jetstream.Summaries{JS: d.js, Names: d.names, Journal: d.journal, Log: d.cfg.Log}
	if d.cfg.Retention == 0 {
		return summaries.Run(ctx)
	}
	var purging sync.WaitGroup
	defer purging.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	purging.Go(func() { // it ends with ctx alone: what fails is tried again
		_ = jetstream.Retention{JS: d.js, Names: d.names, Journal: d.journal, Keep: d.cfg.Retention, Log: d.cfg.Log}.Run(ctx)
	})
	return summaries.Run(ctx)
}
