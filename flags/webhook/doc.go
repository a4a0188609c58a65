// Package webhook keeps flags in any system that a small receiver of the user's own can move, by signed requests.
//
// [Store] implements flags.Store. Everything is a POST of JSON to one URL, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com), so that its libraries verify it:
//
//	{"type": "flag.get", "flag", "environment"}            ──► 200 {"state": "…"}   404: no such flag
//	{"type": "flag.set", "flag", "environment",            ──► 2xx: done            404: no such flag
//	 "variant", "base", "share", "percent", "kill", …,          409: state is not what previous says
//	 "state": "…", "previous": "…"}
//
// The receiver gives variant to share of 10000 users and base to everybody else, and keeps state, a text of Serin's, to
// give it back. The package's tests have a whole receiver in Go, deployments/examples/flag-webhook.mjs is one for Node.
//
// # What it guarantees
//
// A write carries the state it rests on as previous: a receiver that compares the two texts makes of it a
// compare-and-set. A request that is tried again has the same body, Idempotency-Key and Webhook-Id. When an answer was lost and the next try is refused as a conflict, the state is read, and
// what landed counts as written. 429 and 5xx are tried again until the context ends, after Retry-After where there is
// one. Redirects are refused. The secret is read from its file for each request and stands in no error.
//
// # Design
//
// The state is the whole flag definition, the mark included: the receiver need not understand flags. A receiver that can
// tell what its system serves adds "serves": {"variant", "base", "share"} to an answer; where that is not what the state
// says, somebody else has changed the flag, and a ramp is refused. Reads are POSTs too, because then one signature over
// the body covers all that is asked.
package webhook
