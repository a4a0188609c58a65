package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/serin-cd/serin/deployments"
)

type reportFlags struct {
	natsFlags
	environment, since, output string
	rollouts                   bool
}

// reportOf is a report, and what it is about.
type reportOf struct {
	Environment string `json:"environment,omitempty"` // "": all
	Service     string `json:"service,omitempty"`     // "": all
	deployments.Report
}

func newReport(env Env) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [SERVICE]",
		Short: "Say what releases came to: failure rate, lead time, time to restore, harm avoided",
		Long: "Report counts the rollouts that ended in a period, of a service or of all, from the journal and from what finished rollouts leave.\n" +
			"Change failure rate: those taken back because of rules, lost data or a hold timeout, of these and the promoted.\n" +
			"Lead time: from the release event to the promotion. Time to restore: from the first bad reading to no traffic, confirmed.\n" +
			"Avoided is what a release to everybody at once would have had more, had it lasted as long. A policy's value_per_request makes\n" +
			"money of it. What is not known of a rollout is not guessed: each figure says of how many it is known.\n" +
			"Without SERVICE it reads every environment, or that of --env, which who may see one environment alone must give.",
		Example: "  serin report\n  serin report checkout --since 90d --rollouts\n  serin report --env production --since 2026-11-01 -o md",
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: first(slotNames(env, ofService)),
		RunE: func(cmd *cobra.Command, args []string) error {
			about := reportOf{}
			if len(args) > 0 {
				about.Service = args[0]
			}
			if len(args) > 0 || cmd.Flags().Changed("env") {
				about.Environment = f.environment
			}
			return f.run(cmd.Context(), env, about)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment (without SERVICE: all)")
	cmd.Flags().StringVar(&f.since, "since", "30d", "how far back: a duration as in 30d, or a day as in 2026-11-01, which begins at 00:00 UTC")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or md")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json", "md"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().BoolVar(&f.rollouts, "rollouts", false, "list the rollouts that the figures rest on; json always does")
	return cmd
}

func (f reportFlags) run(ctx context.Context, env Env, about reportOf) error {
	if f.output == "markdown" { // what explain calls it
		f.output = "md"
	}
	usage := func(err error) error { return exitError{code: exitUsage, err: err} }
	if !slices.Contains([]string{"text", "json", "md"}, f.output) {
		return usage(fmt.Errorf("output %q is not one of text, json, md", f.output))
	}
	now := env.Now().UTC()
	since, err := sinceWhen(f.since, now)
	if err != nil {
		return usage(err)
	}
	if s := (deployments.Slot{Environment: f.environment, Service: about.Service}); about.Service != "" && s.Validate() != nil {
		return usage(s.Validate())
	}
	r, err := f.dial(ctx, env)
	if err != nil {
		return err
	}
	defer r.close()
	all, err := r.historySince(ctx, about, since)
	if err != nil {
		return err
	}
	about.Report = deployments.NewReport(since, now, all)
	switch f.output {
	case "json":
		return printJSON(env.Stdout, about)
	case "md":
		return reportMarkdown(env.Stdout, about, f.rollouts)
	}
	return reportText(env.Stdout, about, f.rollouts)
}

// sinceWhen reads a duration before now, or a day.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if day.After(now) {
			return time.Time{}, fmt.Errorf("--since %s is yet to come", text)
		}
		return day, nil
	}
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--since %q: write a duration, as in 30d or 12h, or a day, as in 2026-11-01", text)
	}
	return now.Add(-time.Duration(d)), nil
}

// historySince is the rollouts of what a report is about.
func (r *remote) historySince(ctx context.Context, about reportOf, since time.Time) ([]deployments.Summary, error) {
	slots := []deployments.Slot{{Environment: about.Environment, Service: about.Service}}
	if about.Service == "" {
		last, err := r.reader().Slots(ctx, about.Environment)
		if err != nil {
			return nil, err
		}
		slots = nil
		for _, e := range last {
			slots = append(slots, e.Slot)
		}
	}
	found := make([][]deployments.Summary, len(slots))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(8)
	for i, s := range slots {
		reading.Go(func() (err error) {
			found[i], err = r.reader().HistorySince(ctx, s, since)
			return err
		})
	}
	err := reading.Wait()
	return slices.Concat(found...), err
}
