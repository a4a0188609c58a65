// Package unleash keeps on/off flags in Unleash: a [flags.Store] over its admin API, and a [flags.Confirmer] that asks
// its frontend API as an application would.
//
// # What it guarantees
//
// Serin has one strategy of its own in the environment, a flexibleRollout over all users. Its title is the mark, for
// people and for Serin. A ramp is refused while another strategy is enabled, since Unleash turns a flag on for
// whomever any strategy takes in. A ramp writes share and mark in one JSON Patch that tests what was there before.
//
// # Design
//
// Turning the environment on cannot be made to depend on anything, so it never exposes anybody: it is done while the
// strategy's rollout is 0, and the patch that raises it comes after. A call to turn on that arrives after a kill thus
// reaches nobody, because a kill also takes the rollout to 0. Whatever a write leaves behind that was cut off half-way
// serves what the old mark says, or nobody, so that doing it again is safe.
//
// The server tests and writes a patch in two statements of its database, so that of two patches at one instant both may
// pass. Each write is therefore read back: who finds another's mark has lost.
//
// The revision is a count of Serin's writes, kept in the title, above a hash of what the environment serves: Unleash
// counts none for a flag.
package unleash
