// Package notify tells people, and other software, what became of a rollout.
//
// A [Receiver] is read from the configuration by [ParseReceivers]: how it is told, and of what. [Open] makes its
// [Teller]; the durable consumer that brings the events, tries again, and keeps its place over a restart is the
// caller's: package jetstream has it.
//
//	events ─► Teller ─┬─► Bot ──────────► Slack's Web API    one message a rollout, edited, and its thread
//	   ▲              ├─► Paced ─► Slack ─► incoming webhook  a message each
//	   │              ├─► Paced ─► Webhook                    the event itself, signed
//	   │              └─► reminders                           what waits for a person, again
//	   └ RetryAfter, refused for good, or not its turn
//
// [Render] and [Text] are pure: the same event gives the same words, always. [Template] has a user's own.
//
// # What it guarantees
//
// People get decisions, not every step: through an incoming webhook at most four messages a rollout that needs nobody.
// Once a rollout has turned back, [Inhibited] events say no more. A message keeps Slack's published limits whatever an
// event or a template holds. Strings from events are bounded, without control and invisible characters, and cannot
// mention anyone, make a link or leave a code block. Secrets are read from their files for each message, and stand in no
// error. Nothing waits for a receiver's pace, so that one receiver never holds up another.
//
// # Design
//
// What a bot's message shows is in the [Memory], written by compare-and-set: the newest event of the rollout, ordered by
// revision and then by weight, the evidence of the decision, and the ids of what its thread has. A worker takes a lease
// on the message, and writes what it is about to post, before it calls Slack. So no edit overtakes a newer one, and a
// worker that dies, or an answer that is lost, leaves a mark: the next try looks for the message by its metadata. That it
// is not there counts only 15 s after the call, when it has landed or never will; where the app may not look, it is
// posted again after a minute. Slack has no idempotency key: this is as near to once as it lets anybody come.
//
// A message that a person deletes is posted anew once, after that for pages alone. Events that come while another worker
// has the lease are merged into the memory, and their tries are none: see WaitsItsTurn.
//
// Reminders are claimed by writing the time last told. Before each, the journal is asked whether the state is over;
// events alone would not do, since they can be late.
package notify
