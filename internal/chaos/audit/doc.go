// Package audit says what a chaos run has doubled, lost or left silent. It reads what the run has left behind, and asks
// nobody: the script says what is owed, the raw journal what was decided, deployments.Events which events follow from it,
// and the raw streams and the logs of the helper processes what came of it.
//
// # What is counted
//
//   - doubled: one key with a second visible effect: a revision, a rollout of one release, an event, a write to a flag, a
//     call that was not dropped as known; and an effect that follows from no revision, or puts an older one back.
//   - missing: a decision that the script owes and that did not come, a revision that is skipped, and an event, a write
//     or a call that a revision owes.
//   - silent: a live rollout without evaluation for more than two intervals. 250 ms are allowed for a busy machine.
//
// While no NATS server runs nothing can be decided: a gap that reaches over such an outage counts up to its beginning
// and, again, from its end, when journal and leases can be written again. The death of one server of a cluster is no
// outage: nothing is taken off.
//
// A call that came again under its key and was dropped is at-least-once delivery; it is shown as redelivered.
package audit
