package main

import "fmt"

// Exit statuses of commands that follow a release. They are stable.
const (
	exitRolledBack  = 3  // rolled back, and confirmed
	exitUnconfirmed = 4  // to be rolled back, and not confirmed
	exitAborted     = 5  // by a person
	exitPaused      = 6  // waits for a person, with --exit-on-pause
	exitSuperseded  = 7  // by a newer release
	exitTimeout     = 8  // the wait is over, the rollout goes on
	exitNotAccepted = 9  // refused, not ready, or nobody took it in
	exitUnreachable = 10 // NATS cannot be reached
)

// textOrJSON refuses every other output: a command that is used wrongly.
func textOrJSON(output string) error {
	if output == "text" || output == "json" {
		return nil
	}
	return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, json", output)}
}
