// Package ldtest is a STAND-IN for LaunchDarkly, for tests alone. It is not LaunchDarkly, nor made by it.
//
// It was written from LaunchDarkly's public documentation and from what its published SDKs ask for: the part of the REST
// API that package launchdarkly calls (reading a flag, semantic patches), the stream `/all` that server SDKs follow, and
// the evaluation `/sdk/evalx` that client-side SDKs ask. Its buckets are those of the SDKs, which a test with the real
// SDK for Go compares user by user. It knows one project with one environment. It evaluates targets and the default
// rule; rules and prerequisites are only kept.
//
// What passes here shows that package launchdarkly does what it means to do. It does not show that LaunchDarkly's
// service takes it the same way.
package ldtest
