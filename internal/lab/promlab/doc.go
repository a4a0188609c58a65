// Package promlab is a small Prometheus inside the process: an in-memory store of samples, a scraper of real /metrics
// pages, and the real PromQL engine behind Prometheus' HTTP query API.
//
//	targets ──/metrics──► Scraper ──► Store ◄── PromQL engine ◄── API ◄──/api/v1/query── any Prometheus client
//
// An instant that was asked once is sealed: whatever is scraped later gets a later timestamp. So a query asked again at
// a recorded instant, by anyone, gives the same answer for as long as its samples are retained.
//
// It follows Prometheus in what a rule can notice: `up`, stale markers where a series or a target vanishes, error codes,
// the JSON. It has no rules, no disk, no remote API, and no limit, stats or match[] parameters beyond those documented.
package promlab
