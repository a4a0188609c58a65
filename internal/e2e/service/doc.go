// Command service is one version of a simulated service, as a process of its own: the end-to-end tests run it.
//
// It answers requests on / and says on /metrics how it did, like any service instrumented for Prometheus. PUT /fault
// makes a share of its answers errors or slow ones. It knows nothing of Serin.
package main
