package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
)

type replayFlags struct {
	natsFlags
	environment, output string
}

func newReplay(env Env) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay ROLLOUT",
		Short: "Decide a rollout again from its journal, and prove each decision",
		Long: "Replay runs the journal of a rollout through the decisions again: each recorded state must follow from the one before it and\n" +
			"the recorded evidence. Exit status 1: something does not follow, or there is no such rollout. Entries that were decided by other\n" +
			"rules than this program's are named and not judged.",
		Example: "  serin replay checkout-1.4.2-0a1b2c3d",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(f.output); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			prev, entries, err := r.rollout(cmd.Context(), f.environment, args[0])
			if err != nil {
				return err
			}
			return printReplay(env.Stdout, args[0], deployments.Replay(prev, entries), f.output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

// errFound ends reading.
var errFound = errors.New("found")

// rollout is the entries of a rollout, and the one before them. Its id begins with the service.
func (r *remote) rollout(ctx context.Context, environment, id string) (prev deployments.Entry, entries []deployments.Entry, err error) {
	slots, err := r.reader().Slots(ctx, environment)
	if err != nil {
		return prev, nil, err
	}
	for _, last := range slots {
		if last.Slot.Environment != environment || !strings.HasPrefix(id, last.Slot.Service+"-") {
			continue
		}
		if prev, entries, err = r.entriesOf(ctx, last.Slot, id); err != nil || len(entries) > 0 {
			return prev, entries, err
		}
	}
	return prev, nil, fmt.Errorf("no rollout %q is kept in %s: `serin history SERVICE -o json` has the ids of a service", id, environment)
}

func (r *remote) entriesOf(ctx context.Context, s deployments.Slot, id string) (prev deployments.Entry, found []deployments.Entry, err error) {
	err = r.reader().Entries(ctx, s, func(e deployments.Entry) error {
		switch mine := e.Rollout == id; {
		case mine:
			found = append(found, e)
		case len(found) > 0:
			return errFound
		default:
			prev = e
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return prev, found, err
}

// replayed is what `serin replay -o json` prints.
type replayed struct {
	Rollout string                 `json:"rollout"`
	OK      bool                   `json:"ok"` // nothing differs
	Entries []deployments.Replayed `json:"entries"`
}

func printReplay(w io.Writer, id string, all []deployments.Replayed, output string) error {
	out := replayed{Rollout: id, OK: true, Entries: all}
	counts := map[deployments.Proof]int{}
	for _, e := range all {
		counts[e.Proof]++
		out.OK = out.OK && e.Proof != deployments.Differs
	}
	if output == "json" {
		if err := printJSON(w, out); err != nil {
			return err
		}
	} else if err := printProofs(w, out, counts); err != nil {
		return err
	}
	if !out.OK {
		return exitError{code: exitNo}
	}
	return nil
}

func printProofs(w io.Writer, out replayed, counts map[deployments.Proof]int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REV\tPROOF\tNOTE")
	for _, e := range out.Entries {
		fmt.Fprintf(table, "%d\t%s\t%s\n", e.Rev, strings.ReplaceAll(string(e.Proof), "_", " "), clean(e.Note))
		if e.Why != "" {
			fmt.Fprintf(table, "\t\t  %s\n", clean(e.Why))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d follow from their record", counts[deployments.Follows], len(out.Entries))
	for _, p := range []deployments.Proof{deployments.Differs, deployments.OtherLogic, deployments.Unproven} {
		if n := counts[p]; n > 0 && err == nil {
			_, err = fmt.Fprintf(w, ", %d %s", n, strings.ReplaceAll(string(p), "_", " "))
		}
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}
