package main

// Exit statuses of commands that follow a release. They are stable.
const (
	exitRolledBack  = 3  // rolled back, and confirmed
	exitUnconfirmed = 4  // to be rolled back, and not confirmed
	exitAborted     = 5  // by a person
	exitSuperseded  = 7  // by a newer release
	exitTimeout     = 8  // the wait is over, the rollout goes on
	exitNotAccepted = 9  // refused, or nobody took it in
	exitUnreachable = 10 // NATS cannot be reached
)
