// Package notify tells people what became of a rollout.
//
// A [Deliverer] tells one receiver about one event, in one try. [Slack] is one; [Paced] keeps any of them to a pace. The
// durable consumer that tries again, and that keeps its place over a restart, is the caller's: package jetstream has it.
//
//	events ─► Paced ─► Slack ─► Render ─► incoming webhook
//	   ▲ RetryAfter, or refused for good ◄──────┘
//
// [Render] and [Text] are pure: the same event gives the same words, always.
//
// # What it guarantees
//
// Slack gets decisions, not every step: a rollout without a surprise is two messages, one that is taken back about four.
// A message keeps Slack's published limits whatever an event holds. Strings from events are bounded, without control
// and invisible characters, and cannot mention anyone, make a link or leave a code block. The address of a webhook is a
// secret: no error text holds it.
//
// It never waits for a receiver's pace, so that one receiver never holds up another, and never logs. A message may come
// twice when an answer was lost.
package notify
