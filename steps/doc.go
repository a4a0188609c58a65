// Package steps answers: what happens next?
//
// A [Rollout] is one release's way through its [Plan], as a value. [Rollout.Next] takes it, the time, and what happened,
// and returns the next one and the [Effect] values the world owes it. It is total, deterministic and never blocks; an
// input that means nothing now changes nothing. [Rollout.Pending] derives the work a rollout waits for from its state
// alone, so a restarted worker just asks again, and [Rollout.WakeAt] says when time alone will change it.
//
// # What it guarantees
//
// No transition is silent: a changed rollout comes with an [Announce]. The wanted share only rises after every rule was
// read healthy inside the step, step by step; it never rises again once the rollout has turned back. An [Audience] that
// has the version before the first share may be too few for a verdict: there it is enough that no rule is unhealthy, in
// an outage, or has lost its data. It only widens, under the same conditions as a share. A rollback is
// decided in every phase in which the new version may have traffic. Promotion comes only out of [Watching]. Fuzzing
// keeps all of this.
//
// It never asks for the time, never calls anything, and never logs.
package steps
