// Package launchdarkly keeps a policy's flags in LaunchDarkly: [Store] is a flags.Store over its REST API, and a
// flags.Confirmer over the evaluation that its client-side SDKs use.
//
//	flags.Apply ─► Get: the flag as an image in flagd's terms ─► Edit ─► Update: one semantic patch, read before and after
//	flags.Confirmer ─► GET {clientsdk}/sdk/evalx/{client-side ID}/contexts/{context}, for synthetic users
//
// # How a flag is seen
//
// A boolean flag has the variants on and off, a flag of strings is a version flag. Targeting that is off serves the off
// variation: the image's default. Targeting that is on with one variation by default is that default; a percentage over
// two variations, by the key of contexts of kind user, is a fractional. Whatever else decides who sees the flag (rules,
// individual targets, prerequisites, an experiment, a rollout by another attribute) is shown as targeting under
// "launchdarkly", which no mark of Serin describes: a ramp is refused, as its percentage covers only the contexts that
// nothing else matches. A kill turns targeting off, and with it all of that. It sets the off variation first where that
// is not the base.
//
// Serin's mark is the custom property serin.<environment> of the flag, which is what LaunchDarkly has for the data of an
// integration. Its values are limited to 64 of 64 characters; the mark is JSON cut into numbered pieces.
//
// # Revisions
//
// LaunchDarkly has no compare-and-set. The store reads the flag before and after each patch: a version of the
// environment other than the one the edit rests on is a conflict before it, and one that rose by more than one is
// somebody else's write during it, which ends a ramp with flags.ErrStranger. A revision is the environment's version
// times 2^32 plus the flag's.
//
// # What was tried
//
// This was tried against the stand-in of package ldtest, and the real LaunchDarkly SDK for Go reading from that, never
// against the service. The chapter in flags/README.md lists what is therefore not known.
package launchdarkly
