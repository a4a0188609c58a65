package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
)

// toldState is how telling a receiver goes.
type toldState struct {
	Name        string    `json:"name"`
	Kind        string    `json:"kind"` // "": not in this configuration
	Waiting     uint64    `json:"waiting"`
	Undelivered int       `json:"undelivered"`
	Delivered   time.Time `json:"delivered,omitzero"`
	Failed      time.Time `json:"failed,omitzero"`
	Error       string    `json:"error,omitempty"` // the last one
}

func newNotifyList(env Env) *cobra.Command {
	var f natsFlags
	var since, output string
	cmd := &cobra.Command{
		Use: "list", Short: "List the receivers: what waits for each, what was given up, and the last error", Args: cobra.NoArgs,
		Long: "List says of each receiver how many events wait for it, how many were given up since --since (serin dlq list has them),\n" +
			"when it last took one, and the last error. One that no configuration has any more is listed as long as its place is kept.",
		Example: "  serin notify list --since 7d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listTold(cmd.Context(), env, f, since, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&since, "since", "24h", "how far back events that were given up count: for example 2h or 7d")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// listTold prints how telling goes.
func listTold(ctx context.Context, env Env, f natsFlags, since, output string) error {
	if err := textOrJSON(output); err != nil {
		return err
	}
	from, err := sinceFlag(env.Now(), since)
	if err != nil {
		return err
	}
	all, err := configuredReceivers(env)
	if err != nil {
		return err
	}
	r, err := f.dial(ctx, env)
	if err != nil {
		return err
	}
	defer r.close()
	states, err := r.told(ctx, all, from)
	switch {
	case err != nil:
		return err
	case output == "json":
		return printJSON(env.Stdout, states)
	case len(states) == 0:
		fmt.Fprintln(env.Stdout, "no receivers: write a list notify: into the configuration")
		return nil
	}
	return printTold(env.Stdout, states)
}

// told gathers how telling goes, of configured receivers and of others.
func (r *remote) told(ctx context.Context, configured []notify.Receiver, from time.Time) ([]toldState, error) {
	known, err := jetstream.Events{JS: r.js, Names: r.names}.Notifiers(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := jetstream.DeadLetters{JS: r.js, Names: r.names}.List(ctx, from, "")
	if err != nil {
		return nil, err
	}
	memory, err := jetstream.OpenNotebook(ctx, r.js, r.names)
	if err != nil {
		return nil, err
	}
	all := []toldState{}
	for _, c := range configured {
		all = append(all, toldState{Name: c.Name, Kind: string(c.Kind)})
	}
	for _, k := range known {
		i := slices.IndexFunc(all, func(s toldState) bool { return s.Name == k.Name })
		if i < 0 {
			i, all = len(all), append(all, toldState{Name: k.Name})
		}
		all[i].Waiting = k.Waiting
	}
	for i := range all {
		if err := all[i].learn(ctx, memory, letters); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// learn takes in what was given up, and what workers have noted.
func (s *toldState) learn(ctx context.Context, memory notify.Memory, letters []jetstream.Letter) error {
	for _, l := range letters {
		if l.Notifier() == s.Name {
			s.Undelivered++
			s.Failed, s.Error = l.At, l.Why
		}
	}
	noted, err := notify.StateOf(ctx, memory, s.Name)
	if err != nil {
		return err
	}
	s.Delivered = noted.Delivered
	if noted.Failed.After(s.Failed) {
		s.Failed, s.Error = noted.Failed, noted.Error
	}
	return nil
}

func printTold(out io.Writer, all []toldState) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVER\tKIND\tWAITING\tUNDELIVERED\tTOLD (UTC)\tLAST ERROR")
	for _, s := range all {
		kind, last := s.Kind, "-"
		if kind == "" {
			kind = "not configured"
		}
		if s.Error != "" {
			last = s.Failed.UTC().Format(time.DateTime) + " " + clip(s.Error, 120)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", clean(s.Name), kind, s.Waiting, s.Undelivered, dateOrDash(s.Delivered), clean(last))
	}
	return w.Flush()
}

func dateOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}
