package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestHelpNamesEveryCommandAndEveryFlagOnce(t *testing.T) {
	var out bytes.Buffer
	root := newRoot(Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }})
	for _, c := range everyCommand(root) {
		out.Reset()
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		for _, sub := range c.Commands() {
			if want := "\n  " + sub.Name() + " "; sub.IsAvailableCommand() && strings.Count(out.String(), want) != 1 {
				t.Errorf("the help of %s names %s %d times", c.CommandPath(), sub.Name(), strings.Count(out.String(), want))
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if n := strings.Count(out.String(), "\n      --"+f.Name+" ") + strings.Count(out.String(), ", --"+f.Name+" "); n != 1 && !f.Hidden {
				t.Errorf("the help of %s names --%s %d times", c.CommandPath(), f.Name, n)
			}
		})
	}
}

func TestEveryCommandOfTheRootHasAGroup(t *testing.T) {
	for _, c := range newRoot(Env{}).Commands() {
		if c.GroupID == "" && c.Name() != "version" && c.Name() != "completion" {
			t.Errorf("serin %s is in none of the groups in help.go", c.Name())
		}
	}
}

func everyCommand(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}
