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
// strategy's rollout is 0, and the patch that raises it comes after. Whatever a write leaves behind that was cut off
// half-way serves what the old mark says, or nobody, so that doing it again is safe.
//
// The server tests a patch and writes it in two statements of its database: of two patches at one instant both pass, and
// the later one stays. A kill must not lose so. It turns the environment off, adds a new strategy with its mark and a
// rollout of 0, and removes the old one: a patch under way finds nothing to write to, and a call to turn on that arrives
// late reaches nobody. Of two ramps at one instant the loser is told only if it reads back after the other's write;
// otherwise the confirmation tells.
//
// The revision is a count of Serin's writes, kept in the title, above a hash of what the environment serves: Unleash
// counts none for a flag.
package unleash
