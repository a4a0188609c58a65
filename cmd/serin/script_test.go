package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

var update = flag.Bool("update", false, "rewrite the expected output in the stories")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"serin": main})
}

// TestStories runs testdata/script: one story a file, told as commands and what they say.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "eventually": eventually, "prometheus": startProm, "fill": fillIn,
			"slack": func(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], slacktest.New(t).URL) },
		},
	})
}

// fillIn is `fill FILE`: puts variables where the file names them, as in $SLACK.
func fillIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// patience is how long a story waits for what has to come.
const patience = 30 * time.Second

// eventually is `eventually STATUS PROGRAM ARGS…`: like exits, and tried again while the status is another.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually STATUS PROGRAM ARGS…")
	}
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); status(ts, args[1:]) != args[0]; {
		select {
		case <-again.C:
		case <-late:
			ts.Fatalf("exit status is not %s within %v", args[0], patience)
		}
	}
}

// exits is `exits STATUS PROGRAM ARGS…`: like exec, with the exact exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	if got := status(ts, args[1:]); got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// status runs a program and returns its exit status.
func status(ts *testscript.TestScript, args []string) string {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return strconv.Itoa(exit.ExitCode())
	}
	ts.Check(err)
	return "0"
}
