// Package openfeature reads flags for OpenFeature: a provider for applications, and confirmation for Serin.
//
// A [Provider] holds the flags of one environment in memory and follows the bucket by a watch. An evaluation reads an
// immutable snapshot: no lock, no network. A change reaches the application as PROVIDER_CONFIGURATION_CHANGED with the
// flags that changed. While NATS is away the provider is STALE and serves what it last saw; when NATS is back it loads
// everything anew and is READY again.
//
//	bucket ──watch──► snapshot ◄── evaluations        NATS gone ─► STALE ─► NATS back ─► load ─► READY
//	                     └──► events ──► SDK
//
// A [Confirmer] is a provider of its own behind an OpenFeature client of its own: what it sees came by the watch, never
// from the answer to a write, and passed the same SDK that applications use.
//
// # What it guarantees
//
// One bad value in the bucket spoils one flag. Init reports its first try and goes on trying, so that an application
// that starts while NATS is away gets its flags later. Shutdown waits for every goroutine. Nothing here writes a flag,
// logs, or touches OpenFeature's global API.
//
// # Design
//
// After a lost connection or watch everything is loaded anew instead of resuming at the last revision: a bucket that was
// made anew counts from 1 again, and deletions may have been purged meanwhile. What differs is reported as changed.
package openfeature
