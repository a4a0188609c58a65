// Package e2e is the end-to-end test: `serin serve` as it is built, against real servers, each a process of its own.
//
//	users (the test) ── ask the flag, nginx or the deployer ──► versions (internal/e2e/service)
//	                                                                │ scraped every second
//	serin release --wait ──► NATS server ◄── serin serve ──► Prometheus
//	a bare NATS client ──────────┘                └──► Slack (a receiver in the test)
//
// Its files carry the build tag e2e: `make e2e` runs them, `make deps-e2e` installs what they need. Every test has a
// world of its own, on free ports, and leaves no process behind. When one fails, the logs of all its processes are shown.
//
// Nothing here looks inside Serin: what is asserted is what the world was left with, the public events, the journal and
// the flags as another NATS client reads them, and exit statuses. Durations are short, so that minutes become seconds.
package e2e
