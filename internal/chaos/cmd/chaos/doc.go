//go:build unix

// Command chaos plays a script of releases to real workers while it kills, freezes and cuts off processes, and has the
// audit look at what is left: once with one NATS server, once with a cluster of three. Then it does the same for a moment
// with workers that have been broken on purpose, one for each fault class, and demands that the audit notices.
package main
