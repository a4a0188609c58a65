package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// Env is what a command sees of the process it runs in. Commands use nothing else of it, so that tests can give it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Dir            string // what relative paths start from; "" is the process's own directory

	settings *settings // of the configuration file, once it is read
}

// Path is a path as a person gave it, seen from Dir.
func (e Env) Path(path string) string {
	if e.Dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.Dir, path)
}

// run is the program: it does what args say and returns the exit status.
func run(ctx context.Context, args []string, env Env) int {
	root := newRoot(env)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if text := err.Error(); text != "" {
		fmt.Fprintf(env.Stderr, "serin: %s\n", text)
	}
	if isUsage(err) {
		fmt.Fprintf(env.Stderr, "run '%s --help' for usage\n", cmd.CommandPath())
	}
	return code
}

// newRoot is the command tree.
func newRoot(env Env) *cobra.Command {
	env.settings = new(settings)
	root := &cobra.Command{
		Use:               "serin",
		Short:             "Takes a release to all traffic step by step, and takes it back when it is bad",
		Version:           buildInfo().Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return configure(cmd, env) },
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetVersionTemplate("serin {{.Version}}\n")
	root.AddCommand(commands(env)...)
	root.AddCommand(newOrders(env)...)
	completions(root, env)
	group(root)
	root.SetUsageFunc(usage)
	ownErrors(root)
	return root
}

// commands are those below the root, but for the orders.
func commands(env Env) []*cobra.Command {
	return []*cobra.Command{
		newDemo(env),
		newServe(env),
		newSetup(env),
		newRelease(env),
		newWait(env),
		newStatus(env),
		newGet(env),
		newList(env),
		newHistory(env),
		newReport(env),
		newExplain(env),
		newReplay(env),
		newWorkers(env),
		newInit(env),
		newCheck(env),
		newTest(env),
		newImport(env),
		newSchema(env),
		newAck(env),
		newFlags(env),
		newEvents(env),
		newDLQ(env),
		newNotify(env),
		newConfig(env),
		newVersion(env),
	}
}

// Exit statuses that every command shares.
const (
	exitOK    = 0
	exitNo    = 1 // ran, and the answer is no; or unexpected
	exitUsage = 2 // used wrongly, or given an invalid file
)

// exitError is an error that ends the process with a status of its own. Without an err nothing is printed: the command
// has said already what there is to say.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// exitCode is the exit status for an error. What has none did not come out of a command, see [ownErrors]: it is usage.
func exitCode(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.code
	}
	return exitUsage
}

// isUsage reports whether an error is about the command line itself.
func isUsage(err error) bool {
	_, own := errors.AsType[exitError](err)
	return !own
}

// ownErrors gives every error that a command's work returns the status 1, unless it has one. What is left without is
// cobra's: unknown commands, unknown flags, wrong arguments.
func ownErrors(c *cobra.Command) {
	for _, sub := range c.Commands() {
		ownErrors(sub)
	}
	work := c.RunE
	if work == nil {
		return
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		err := work(cmd, args)
		if err == nil || !isUsage(err) {
			return err
		}
		return exitError{code: exitNo, err: err}
	}
}
