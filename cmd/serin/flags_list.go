package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

func newFlagsList(env Env) *cobra.Command {
	var f flagFlags
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List Serin's own flags of an environment", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			return f.in(cmd, env, func(ctx context.Context, p flagPlace) error { return f.list(ctx, env, p, output) })
		},
	}
	f.addOwn(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// flagLine is one flag of a list.
type flagLine struct {
	Flag     string         `json:"flag"`
	Kind     string         `json:"kind"`
	Serves   string         `json:"serves"`             // the default: what users outside of a ramp get
	Ramp     string         `json:"ramp,omitempty"`     // the variant that a share of users gets
	Percent  float64        `json:"percent,omitempty"`  // of users
	Audience flags.Audience `json:"audience,omitempty"` // that gets it besides
	Rollout  string         `json:"rollout,omitempty"`  // that wrote last
	Killed   bool           `json:"killed,omitempty"`
	Error    string         `json:"error,omitempty"` // why it cannot be read
}

func (f *flagFlags) list(ctx context.Context, env Env, p flagPlace, output string) error {
	lister, err := p.kv.ListKeysFiltered(ctx, f.environment+".>")
	if err != nil {
		return fmt.Errorf("list the flags of %s: %w", f.environment, err)
	}
	lines := []flagLine{}
	for key := range lister.Keys() {
		lines = append(lines, p.line(ctx, key))
	}
	slices.SortFunc(lines, func(a, b flagLine) int { return strings.Compare(a.Flag, b.Flag) })
	if output == "json" {
		return printJSON(env.Stdout, lines)
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FLAG\tSERVES\tTO SOME\tROLLOUT")
	for _, l := range lines {
		some := "-"
		switch {
		case l.Error != "":
			some = clean(l.Error)
		case l.Killed:
			some = "killed"
		case l.Ramp != "":
			some = clean(l.Ramp) + " to " + clean(steps.Shown(steps.Share(math.Round(l.Percent*100)), steps.Audience(l.Audience)))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", clean(l.Flag), clean(cmp.Or(l.Serves, "-")), some, clean(cmp.Or(l.Rollout, "-")))
	}
	return w.Flush()
}

// line is what stands under a key.
func (p flagPlace) line(ctx context.Context, key string) flagLine {
	_, name := flags.SplitKey(key)
	f, _, err := p.Get(ctx, key)
	if err != nil {
		return flagLine{Flag: name, Error: err.Error()}
	}
	m := f.Mark()
	l := flagLine{Flag: name, Kind: string(f.Kind()), Rollout: m.Rollout, Killed: m.Killed}
	l.Serves, _ = f.Default()
	if m.Ramps() {
		l.Ramp, l.Percent, l.Audience = m.Variant, float64(m.Share)/100, m.Also
	}
	return l
}

func newFlagsLog(env Env) *cobra.Command {
	var f flagFlags
	var output string
	cmd := &cobra.Command{
		Use: "log [KEY]", Short: "Say what was done to a flag, or to all of an environment", Args: cobra.MaximumNArgs(1),
		Long: "Log prints the record of flags, oldest first: what was and what is, who wanted it and why, and what users were then seen to get.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			return jetstream.Audit{JS: r.js, Names: r.names}.Read(cmd.Context(), cmp.Or(f.environment, deployments.DefaultEnvironment), strings.Join(args, ""),
				func(c deployments.FlagChange) error { return printRecord(env, c, output) })
		},
	}
	f.addOwn(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, or json: one object a line")
	return cmd
}

func printRecord(env Env, c deployments.FlagChange, output string) error {
	if output == "json" {
		return json.NewEncoder(env.Stdout).Encode(c)
	}
	who := cmp.Or(c.By, c.Rollout)
	what := "refused: " + c.Error
	if c.Error == "" {
		what = "now " + served(c.Flag, c.After) + ", was " + served(c.Flag, c.Before)
		if c.Outcome != "" {
			what += fmt.Sprintf("; %s: %d users, %.4g ms %s", c.Outcome, c.Users, c.Took, c.Detail)
		}
	}
	_, err := fmt.Fprintf(env.Stdout, "%s  %s  %s  %s\n    %s\n", c.At.UTC().Format(time.DateTime), clean(c.Flag), clean(who), clean(c.Why), clean(strings.TrimSpace(what)))
	return err
}

// served says what a definition serves.
func served(key string, definition []byte) string {
	f, err := flags.Parse(key, definition)
	if err != nil {
		return "nothing"
	}
	def, _ := f.Default()
	m := f.Mark()
	switch {
	case m.Killed:
		return "killed: " + def
	case m.Ramps():
		return fmt.Sprintf("%s, and %s to %s", def, m.Variant, clean(steps.Shown(steps.Share(m.Share), steps.Audience(m.Also))))
	}
	return def + " to all"
}
