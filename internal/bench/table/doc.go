// Command table reads the output of `go test -bench` from its standard input, passes it on, and ends it with a table of
// Serin's figures: what was to be reached, what was measured in this run, and whether that is met. Its exit status is 1
// when a test or benchmark failed; a figure that is not met is no failure.
package main
