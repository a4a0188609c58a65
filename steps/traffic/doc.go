// Package traffic holds the movers that are no flags.
//
// [Exec] runs the user's own command with an absolute share, and a second one that reads the share back. Routers of our
// own are sub-packages; every mover passes the suite of package traffictest.
//
//	steps.Exposure ─► Exec ─ set ─► the user's router
//	steps.Observed ◄─ Exec ─ read ◄──────┘
//
// # What it guarantees
//
// A share is set as an absolute value, so that doing it again changes nothing. A share is confirmed only when another
// command has read it back, equal to a hundredth of a percent; never by the exit status of the one that set it. When a
// call has returned, nothing that it started runs any more: not a child, and not after a cancelled context. No release
// can choose the command, add an argument, or turn an argument into an option. Nothing goes through a shell.
//
// It never retries, never remembers a share, and gives commands nothing of the daemon's environment.
package traffic
