package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// listenFor is a little more than the second between two reports of a worker.
const listenFor = 1300 * time.Millisecond

func newWorkers(env Env) *cobra.Command {
	var f natsFlags
	var output string
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "Say which workers run and what they hold",
		Long: "Workers listens for a little more than a second to what the workers say of themselves. Its exit status is 1 when nobody\n" +
			"is heard. While workers come and go, a partition may be nobody's for a second.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			return workers(cmd.Context(), env, r, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func workers(ctx context.Context, env Env, r *remote, output string) error {
	partitions, err := r.reader().Partitions(ctx)
	if err != nil {
		return err
	}
	all, err := jetstream.Presence{Conn: r.nc, Names: r.names}.Gather(ctx, listenFor)
	if err != nil {
		return err
	}
	s := newStaff(all, partitions)
	if output == "json" {
		err = printJSON(env.Stdout, s)
	} else {
		err = s.print(env.Stdout, env.Now())
	}
	if err == nil && len(all) == 0 {
		err = errors.New("no worker is heard: is serin serve running?")
	}
	return err
}

// staff is what `serin workers` says.
type staff struct {
	Workers    []jetstream.Report `json:"workers"`
	Partitions int                `json:"partitions"` // of all workers together
	Unheld     []int              `json:"unheld"`     // by the workers' reports
	Twice      []int              `json:"twice"`      // held by several, by their reports
}

func newStaff(all []jetstream.Report, partitions int) staff {
	s := staff{Workers: all, Partitions: partitions, Unheld: []int{}, Twice: []int{}}
	holders := make([]int, partitions)
	for _, w := range all {
		seen := map[int]bool{}
		for _, p := range w.Partitions {
			if p >= 0 && p < partitions && !seen[p] {
				holders[p]++
				seen[p] = true
			}
		}
	}
	for p, n := range holders {
		switch {
		case n == 0:
			s.Unheld = append(s.Unheld, p)
		case n > 1:
			s.Twice = append(s.Twice, p)
		}
	}
	return s
}

func (s staff) print(out io.Writer, now time.Time) error {
	if len(s.Workers) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORKER\tVERSION\tPARTITIONS\tROLLOUTS\tSINCE\tSTATE")
	for _, r := range s.Workers {
		state := "serving"
		if r.Draining {
			state = "draining"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", clean(r.Name), clean(orDash(r.Version)), len(r.Partitions), r.Rollouts, age(now, r.Since), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(s.Unheld) > 0 {
		fmt.Fprintf(out, "%d of %d partitions are held by nobody: %s\n", len(s.Unheld), s.Partitions, ranges(s.Unheld))
	}
	if len(s.Twice) > 0 {
		fmt.Fprintf(out, "%d of %d partitions are held twice: %s\n", len(s.Twice), s.Partitions, ranges(s.Twice))
	}
	return nil
}

// ranges writes ascending numbers briefly: 0-3, 7.
func ranges(ns []int) string {
	var out []string
	for i := 0; i < len(ns); {
		j := i
		for j+1 < len(ns) && ns[j+1] == ns[j]+1 {
			j++
		}
		text := strconv.Itoa(ns[i])
		if j > i {
			text += "-" + strconv.Itoa(ns[j])
		}
		out, i = append(out, text), j+1
	}
	return strings.Join(out, ", ")
}

// fairLeases are the daemon's leases, shared with the other workers of its NATS.
func (d *daemon) fairLeases() *jetstream.FairLeases {
	return &jetstream.FairLeases{
		Leases:   jetstream.Leases{JS: d.js, Names: d.names, Log: d.cfg.Log},
		Presence: jetstream.Presence{Conn: d.nc, Names: d.names},
		Name:     workerName(), Version: buildInfo().Version, Since: d.cfg.Env.Now(),
		Partitions: d.journal.Partitions(),
		Rollouts:   func() int { return d.worker.Rollouts() },
	}
}
