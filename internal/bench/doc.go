// Package bench measures Serin against the figures it is to reach. Its benchmarks are ordinary ones; `make bench` runs
// them with all others and ends in a table.
//
//	benchmark (the test) ──► NATS server, its journal full of live rollouts ◄──► worker ──► Prometheus (a stub)
//
// Server, worker and Prometheus are processes of their own, made of the test binary: what a worker takes is measured in
// its process, and is its own alone. The worker, the journal, the leases, the policies and the query client are those
// that `serin serve` has; only the movers are missing, since nothing moves here.
//
// [table] makes the table out of the benchmarks' output.
//
// [table]: https://pkg.go.dev/github.com/serin-cd/serin/internal/bench/table
package bench
