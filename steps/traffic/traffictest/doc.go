// Package traffictest is the one conformance suite of all movers.
//
// [Run] asks of a mover what the state machine relies on: a share is absolute, setting it again changes nothing, what is
// confirmed is so in the world, a kill reaches 0 from every share and after a call that was cancelled at any moment, and
// nothing of a call goes on once it has returned. The world is asked through a [Probe], never through the mover.
package traffictest
