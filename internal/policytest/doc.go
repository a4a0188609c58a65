// Package policytest tests policies: files of written series, and what a policy shall make of them.
//
//	checkout_test.yaml ─ Parse ─► File ─ Runner.Run ─► Result ─ Text, JSON, JUnit ─►
//	                                        │
//	      series in memory ◄─ PromQL engine ◄─ analysis.Analyst ◄─ deployments.Simulate
//
// # What it guarantees
//
// Rules are rendered, asked, judged and decided on by the code that does so in production; only Prometheus' storage, the
// movers and the clock are simulated. The same file gives the same result on every machine and at every time: nothing is
// waited for, and nothing outside the files is looked at. Every fault of a file is found with its place and its cure.
//
// It decides nothing itself, and never writes.
package policytest
