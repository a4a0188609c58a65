// Package flagdsync serves flags to flagd and to in-process flagd providers, by gRPC (flagd.sync.v1.FlagSyncService).
//
// A [Server] renders the flags that somebody holds in memory, behind [Flags], as one flagd document an environment. A
// client gets the whole document when it connects and again after every change; the selector names the environment.
//
//	NATS ──watch──► Flags ──Changed──► Server ──whole document──► flagd, in-process providers
//
// # What it guarantees
//
// A stream holds no queue: a client that is slow gets the newest document when it takes one, and skips those between. A
// document is sent only when it differs from the last one of the stream. A value that is no flag is left out, so that it
// does not spoil the document. Of a flag's metadata only what Serin did not write is sent, and the revision as
// serinRevision. Serve ends every stream before it returns. Nothing is written, and no client is trusted with more than
// a selector: requests are bounded to [MaxRequest] bytes.
//
// # Design
//
// There is neither TLS nor a token, as flagd's own sync service has none by default: listen on a private address. The
// stubs are those that flagd publishes; the service is google.golang.org/grpc's, because a kill goes through it and
// keep-alive, flow control and draining are what it is good at.
package flagdsync
