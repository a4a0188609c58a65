// Package service is a simulated service whose versions are real HTTP servers with real metrics, and the users who call
// it. A flag is its traffic switch: each request asks which version its user gets, and then really calls that version.
//
//	Load ──Which(user)──► flag          the flag's answer
//	 │                      │
//	 └──────► balancer ◄────┘           obeys it, but for the faults NoTraffic and IgnoresFlag
//	              └──HTTP──► version 1.0.0, 1.1.0, … ──/metrics──► a scraper
//
// Each version counts what it served in its own registry, as http_requests_total{service,version,code} and
// http_request_duration_seconds{service,version}. The series of code 200 and the histogram are there, at 0, from the
// start of a version; those of code 500 from its first error, or from the start where Options.Background is above 0.
//
// Nothing is staged: a fault begins when the flag's own answers give its version the share named in it, and after that
// acts on each request by chance. What users saw is in the Tally, attributed to the time each request asked the flag.
package service
