package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/internal/lab/service"
)

// demoOptions are what a person may ask of `serin demo`.
type demoOptions struct {
	fault string
	speed float64
	json  bool
	keep  bool
}

// demoFault is a fault the second release may have.
type demoFault struct {
	service.Fault
	causes []string // one of which the rollback must name; none: there must be no rollback
}

// demoFaults begin in the service when a quarter of the users get the version, and not before.
func demoFaults() map[string]demoFault {
	return map[string]demoFault{
		"errors":  {service.Fault{Kind: service.Errors, Rate: 0.2, FromShare: 2500}, []string{"rules"}},
		"latency": {service.Fault{Kind: service.Latency, Rate: 0.6, Latency: 600 * time.Millisecond, FromShare: 2500}, []string{"rules"}},
		"crash":   {service.Fault{Kind: service.Crash, FromShare: 2500}, []string{"lost_data", "rules"}},
		"none":    {},
	}
}

func newDemo(env Env) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show three releases on one flag: good, bad and taken back, fixed",
		Long: "Demo runs a small service with users, a Prometheus and Serin itself in this process, and releases three versions.\n" +
			"Nothing is staged: the fault acts on requests, and the decision comes from what the metrics show.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return exitError{code: exitUsage, err: err}
			}
			return demo(cmd.Context(), env, o)
		},
	}
	cmd.Flags().StringVar(&o.fault, "fault", "errors", "what is wrong with the second release: errors, latency, crash or none")
	cmd.Flags().Float64Var(&o.speed, "speed", 1, "how many times faster than usual, up to 5")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as one line of JSON, and what happens to stderr")
	cmd.Flags().BoolVar(&o.keep, "keep", false, "keep everything running after the summary until interrupted, and the data after that")
	return cmd
}

func (o demoOptions) check() error {
	if _, ok := demoFaults()[o.fault]; !ok {
		return fmt.Errorf("fault %q is not one of errors, latency, crash, none", o.fault)
	}
	if !(o.speed >= slowestDemo && o.speed <= fastestDemo) {
		return fmt.Errorf("speed %v is not between %v and %v: rules would be read more often than every 200ms, or for hours", o.speed, slowestDemo, fastestDemo)
	}
	return nil
}

// demo plays all of it. What it started is stopped when it returns, however it ends.
func demo(ctx context.Context, env Env, o demoOptions) error {
	screen := newScreen(env, o)
	result := demoResult{Fault: o.fault, Releases: []demoRelease{}}
	s, err := startStage(ctx, env, o, screen)
	if err == nil {
		defer s.stop()
		err = s.play(ctx, &result)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return exitError{code: exitInterrupted, err: errors.New("stopped before the end")}
	case err != nil:
		result.OK, result.Why = false, err.Error()
	case o.keep:
		result.Keep = s.kept()
	}
	if err := result.print(env, screen, o.json); err != nil {
		return err
	}
	if result.Keep != nil {
		<-ctx.Done()
	}
	if !result.OK {
		return exitError{code: exitNo}
	}
	return nil
}

const exitInterrupted = 130

// print shows the result: for people, or as one line of JSON.
func (r demoResult) print(env Env, screen *screen, inJSON bool) error {
	if !inJSON {
		screen.say(summary(r)...)
		return nil
	}
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false) // a query has < and >
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// unexpected says why the releases did not go as the fault asked for demands, or "".
func unexpected(fault string, releases []demoRelease, weights []float64) string {
	causes := demoFaults()[fault].causes
	var why []string
	for i, r := range releases {
		bad := i == 1 && len(causes) > 0
		switch {
		case bad && r.Outcome != "restored":
			why = append(why, fmt.Sprintf("%s was to be taken back and is %s", r.Version, r.Outcome))
		case bad:
			why = append(why, r.incomplete(causes)...)
		case r.Outcome != "promoted":
			why = append(why, fmt.Sprintf("%s was to be promoted and is %s (%s)", r.Version, r.Outcome, r.Cause))
		case !slices.Equal(r.Weights, weights):
			why = append(why, fmt.Sprintf("%s is promoted without all its steps: %v", r.Version, r.Weights))
		}
	}
	return strings.Join(why, "; ")
}

// incomplete says what a rollback lacks.
func (r demoRelease) incomplete(causes []string) (why []string) {
	f := r.demoFailure
	if f == nil {
		return []string{r.Version + " was taken back without a failure on record"}
	}
	for _, check := range []struct {
		ok  bool
		not string
	}{
		{slices.Contains(causes, r.Cause), "the cause is " + r.Cause},
		{f.FlagConfirmed, "the flag is not confirmed off"},
		{!f.Off.IsZero(), "the application was not seen without it"},
		{f.RollbackEvent, "no rollback event was seen"},
		{f.SlackAlert, "no Slack alert arrived"},
		{f.CanaryAfterOff == 0, fmt.Sprintf("%d requests came after the switch", f.CanaryAfterOff)},
		{!f.faultBegan.IsZero(), "it was taken back before its fault began"},
	} {
		if !check.ok {
			why = append(why, r.Version+": "+check.not)
		}
	}
	return why
}
