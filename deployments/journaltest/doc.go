// Package journaltest says what a deployments.Journal must do, and has one in memory for tests.
//
// [Run] is the conformance suite; it runs over every implementation, [Memory] included. It never sleeps and leaves no
// goroutine behind.
package journaltest
