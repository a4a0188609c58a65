package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groups are what people come for, in the order of a release's life.
var groups = []struct {
	title    string
	commands []string
}{
	{"See it", []string{"demo"}},
	{"Write a policy", []string{"init", "check", "test", "import", "schema"}},
	{"Run it", []string{"serve", "setup", "workers", "config"}},
	{"Release", []string{"release", "wait"}},
	{"Follow", []string{"get", "list", "status", "events"}},
	{"Decide", []string{"approve", "pause", "resume", "promote", "abort", "retry"}},
	{"Ask afterwards", []string{"history", "explain", "replay", "report"}},
	{"Flags, alerts, dead letters", []string{"flags", "notify", "dlq", "ack"}},
}

// group sorts the root's commands into the groups. Those of none are listed last.
func group(root *cobra.Command) {
	of := map[string]string{}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, name := range g.commands {
			of[name] = g.title
		}
	}
	for _, c := range root.Commands() {
		c.GroupID = of[c.Name()]
	}
}

// usage is the help below a command's description: its own flags first, those of the connection, which many commands
// have, behind them.
func usage(c *cobra.Command) error {
	out := c.OutOrStderr()
	fmt.Fprint(out, "Usage:\n")
	if c.Runnable() {
		fmt.Fprintf(out, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(out, "  %s COMMAND\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", strings.TrimRight(c.Example, "\n"))
	}
	listCommands(out, c)
	own, connection := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if isNATS(f.Name) || f.Name == "config" || f.Name == "data" || f.Name == "prefix" {
			connection.AddFlag(f)
		} else {
			own.AddFlag(f)
		}
	})
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags", own}, {"Connection (`serin config` shows what counts)", connection}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(out, "\n%s:\n%s", part.title, part.flags.FlagUsages())
		}
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\n`%s COMMAND --help` says more of one.\n", c.CommandPath())
	}
	return nil
}

// listCommands lists what is below a command, group by group.
func listCommands(out io.Writer, c *cobra.Command) {
	titles := []string{""}
	for _, g := range c.Groups() {
		titles = append(titles[:len(titles)-1], g.ID, "")
	}
	rest := "More"
	if len(titles) == 1 {
		rest = "Commands"
	}
	for _, title := range titles {
		heading := "\n" + cmp.Or(title, rest) + ":\n"
		for _, sub := range c.Commands() {
			if sub.GroupID == title && sub.IsAvailableCommand() {
				fmt.Fprintf(out, "%s  %-*s %s\n", heading, c.NamePadding(), sub.Name(), sub.Short)
				heading = ""
			}
		}
	}
}
