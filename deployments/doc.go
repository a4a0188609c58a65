// Package deployments answers: what is being released, and how far is it?
//
// A [Release] is accepted into its [Slot] by a [Policy]; the [Worker] advances the rollout: it loads the state, lets
// steps.Rollout.Next decide, appends an [Entry] to the [Journal], and only then acts. Events are derived from entries by
// a pure function and told by readers of the journal.
//
// # What it guarantees
//
// Nothing is done that is not in the journal, and every entry is a compare-and-set: two workers that decide at once
// cannot both be right. Effects are absolute and repeated until confirmed. A kill latches its rollout.
//
// [Simulate] takes a release through a policy by the same code, in simulated time and without a world.
//
// The package knows no technology: journal, leases, Prometheus, flags and traffic reach it as small interfaces.
package deployments
