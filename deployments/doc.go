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
// # Reports
//
// A finished rollout leaves a [Summary], and a [Report] makes figures of those that ended in a period: whoever makes it,
// and when, comes to the same.
//
//   - Change failure rate: those taken back because of rules, lost data or a hold timeout, divided by these and the
//     promoted. What a person aborted, a newer release superseded, was not ready or was never exposed is listed apart.
//   - Lead time: from the release event to the promotion. What DORA measures begins earlier, at the commit.
//   - The interval of a fault, of rollouts taken back by rules or for lost data: from the first of the bad readings in a
//     row of the rules that failed to the confirmation that the new version has no traffic. Time to restore is its length.
//   - Exposure: the integral of the new version's share of traffic over that interval ([Met]); of two shares, the confirmed
//     and the requested one, the larger. A release to everybody at once would have had all traffic for as long: the rest
//     is avoided. What happened before the first bad reading is in neither. Nothing is claimed of promoted rollouts.
//   - Requests: a failed rule's count in its window, divided by the share of traffic there, is the rate of all traffic;
//     its bad ratio, less stable's where that is known, is the part that would have failed ([Requests]).
//   - Loss avoided: those failed requests times the value that the policy gave a request when the rollout began.
//
// What is not known of a rollout is counted as unknown, never guessed.
//
// The package knows no technology: journal, leases, Prometheus, flags and traffic reach it as small interfaces.
package deployments
