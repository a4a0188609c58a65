// Package lab is a small world in one process for `serin demo` and for tests: a Prometheus (promlab) that scrapes a
// simulated service (service), and users whose traffic follows a flag.
//
//	users ──flag──► service 1.0.0, 1.1.0, … ◄──scrape── Prometheus ◄──/api/v1/query── whoever asks
//
// All of it is real: HTTP on the loopback, counters, the PromQL engine, the flag asked at each request. Faults act on
// requests, never on metrics, and nothing in here knows of rollouts.
package lab
