// Package prometheus asks Prometheus servers, and those that speak their API, the queries of package analysis.
//
// A [Client] holds one kept pool of connections for each source, asks each distinct query of a call once, and bounds
// how many are in flight at a server. Credentials are read from their files at every request, so they may be rotated.
//
// # What it guarantees
//
// Each query gets its own result or its own error, in order; an answer that may be partial carries a warning or is an
// error, never fewer series in silence. An error's text is short, for people, and holds no credentials. No goroutine
// that Query started is left when it returns; kept connections go with [Client.Close].
//
// It never follows a redirect, which would carry credentials elsewhere, never retries, and never judges an answer.
package prometheus
