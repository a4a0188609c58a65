// Package ofrep speaks OFREP, OpenFeature's protocol for evaluation over HTTP (0.3.0): as a server, and as a client that
// confirms.
//
// A [Handler] evaluates flags that somebody holds in memory, behind [Flags]. Clients evaluate one flag, or all flags of an
// environment for one user with an ETag, and are told by server-sent events that there is reason to ask again.
//
//	POST /ofrep/v1/evaluate/flags/{key}      one flag                 of the handler's environment;
//	POST /ofrep/v1/evaluate/flags            all flags, ETag          others have theirs under
//	GET  /ofrep/v1/events                    change events            /env/{environment}/ofrep/v1/…
//
// A [Confirmer] asks any OFREP endpoint for synthetic users, and so tells what a system serves that Serin does not
// keep the flags of.
//
// # What it guarantees
//
// The handler answers from memory and writes nothing. A stream holds no queue: a client that is slow is told once that
// something has changed, and one that takes nothing for Options.WriteTimeout is let go. [Handler.Close] ends every stream. Of a
// flag's metadata only what Serin did not write is sent, and the revision: who turned a flag off is nobody's business in
// a browser. Tokens are compared in constant time and never logged.
//
// # Design
//
// An answer has a value whenever the flag has one to give. A DISABLED flag, and one without a default, leave it to the
// caller's default, as flagd does; clients differ in what they call that (an error, or the reason DISABLED) and agree on
// the default. Reason DEFAULT is not in OFREP's list; flagd sends it, clients take it, and so does Serin.
//
// A stream begins with an event unless the client names the last one (Last-Event-ID): what changed between its
// evaluation and its stream would be lost otherwise. It costs one request that is answered 304. An EventSource cannot
// send a header, so the address of the stream has a ticket in it where tokens are needed: it opens the stream of one
// environment, which says nothing but that something has changed.
//
// A confirmer need not be told whose buckets it looks at. Where every synthetic user gets what Serin's own buckets say,
// the endpoint has them, and is held to them from then on; so is one that answers with Serin's revision. Of any other
// the number of users must lie within the band in which 999 of 1000 fair samples do.
package ofrep
