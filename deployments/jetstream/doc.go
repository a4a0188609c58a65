// Package jetstream keeps deployments in NATS JetStream: it is the adapter behind the seams of package deployments.
//
//	CI ── <prefix>.release.<env>.<service> ──► RELEASES ──► [Intake] ──► accept
//	CI ── a subject of its own ──► [Inputs] ──► as above                   │
//	                                                                       │ compare-and-set
//	            [Leases] ──► LEASE (one message a partition)               ▼
//	                         Watch ◄────────────── [Journal] ──► JOURNAL (one subject a slot)
//	                                                                       │ durable consumer
//	      [Follow] [Tell] ◄── EVENTS ◄── event.>, rollback.> ◄──── [Dispatch]
//	                          DLQ    ◄── dlq.<reason> ◄── whatever cannot be used, from any of them
//
// [Embed] runs the server inside the process, [Connect] reaches another one, [Setup] makes the streams.
// [Serve] answers orders with the name that the server vouches for ([Actor]), and what is stored, which a [Reader] asks for:
// so no other role than a worker needs a right to a stream ([Roles]), but for dead letters: those name no slot.
// An [Input] is a subject that is there already, and says where its messages have what a release needs.
// [FairLeases] are Leases that workers share evenly, by what they say of themselves on <prefix>.worker.<name> ([Presence]).
// [Server], [Journal], [Leases], [Intake], [Dispatch], [Policies], [Serve] and [Client] need nothing of one another.
//
// # What it guarantees
//
// An entry is in the journal once or not at all, and only behind the entry it was decided on: the server compares
// sequences. When an answer is lost, Append looks for its own Op behind the entry it wrote after. Leases save work;
// nothing rests on them. Events are published at least once under an id that never changes. A bad message goes to the
// dead letters first and is taken from its stream only then; it never holds up its neighbours.
//
// # What it never does
//
// It never decides about a rollout, never acknowledges a lease message, and never writes a dead letter twice under
// two ids. Nothing but [Retention] purges: whole finished rollouts, behind every durable reader.
//
// # Design
//
// The journal has neither a time to live nor a limit per subject: both bring an older entry back as the last. A durable
// reader pulls small batches with Fetch: nothing is prefetched whose time to acknowledge already runs, and what is left
// of a batch at the end is handed back at once. Readers without memory use consumers of their own that are made anew
// after a fault, behind the last sequence seen, and check the consumer's own count for gaps.
package jetstream
