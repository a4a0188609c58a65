package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
)

// eventsFlags say which events are printed, and how.
type eventsFlags struct {
	natsFlags
	environment, since, output string
	follow                     bool
}

func newEvents(env Env) *cobra.Command {
	var f eventsFlags
	cmd := &cobra.Command{
		Use: "events [SERVICE]", Short: "Print public events, of a service or of all", Args: cobra.MaximumNArgs(1),
		Long: "Events prints the public events: time, service, event, severity, and what it says. Those of a service come through the workers;\n" +
			"those of all are read from their stream, which needs a user with rights to it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "text" && f.output != "jsonl" {
				return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, jsonl", f.output)}
			}
			since, err := sinceFlag(env.Now(), f.since)
			if err != nil {
				return err
			}
			var slot deployments.Slot
			switch only := cmd.Flags().Changed("env"); {
			case len(args) == 1:
				slot = deployments.Slot{Environment: f.environment, Service: args[0]}
				if err := slot.Validate(); err != nil {
					return exitError{code: exitUsage, err: err}
				}
			case !only:
				f.environment = ""
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			return f.print(cmd.Context(), env, jetstream.Events{JS: r.js, Names: r.names}, slot, since)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with those that come, until it is interrupted")
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment; without SERVICE: only events of this one (default all)")
	cmd.Flags().StringVar(&f.since, "since", "1h", "how far back: for example 30m or 7d")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, or jsonl: one object a line")
	return cmd
}

// print tells of the events since an instant, and with -f of later ones.
func (f eventsFlags) print(ctx context.Context, env Env, events jetstream.Events, slot deployments.Slot, since time.Time) error {
	var after uint64
	if slot == (deployments.Slot{}) {
		var err error
		if after, err = events.Before(ctx, since); err != nil {
			return fmt.Errorf("%w: with fewer rights name a SERVICE, its events come through the workers", err)
		}
	}
	enough := errors.New("enough")
	err := events.Follow(ctx, jetstream.Filter{Slot: slot}, after, func(seq uint64, e deployments.Event) error {
		switch {
		case seq == 0 && f.follow:
			return nil
		case seq == 0:
			return enough
		case e.Time.Before(since), f.environment != "" && e.Slot.Environment != f.environment:
			return nil
		}
		return f.line(env, e)
	})
	if errors.Is(err, enough) || f.follow && ctx.Err() != nil {
		return nil
	}
	return err
}

// eventLine is an event as -o jsonl prints it.
type eventLine struct {
	ID       string                `json:"id"`
	Time     time.Time             `json:"time"`
	Event    string                `json:"event"`
	Severity deployments.Severity  `json:"severity"`
	Data     deployments.EventData `json:"data"`
}

func (f eventsFlags) line(env Env, e deployments.Event) error {
	if f.output == "jsonl" {
		return json.NewEncoder(env.Stdout).Encode(eventLine{e.ID, e.Time, e.Name, e.Severity, e.Data})
	}
	said := e // the slot has a column of its own
	said.Data.Service, said.Data.Environment = "", ""
	_, err := fmt.Fprintf(env.Stdout, "%s  %-22s  %-21s  %-7s  %s\n", e.Time.UTC().Format(time.DateTime), clean(e.Slot.String()), clean(e.Name), clean(string(e.Severity)),
		clean(notify.Text(said)))
	return err
}
