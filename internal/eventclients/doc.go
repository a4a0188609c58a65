// Package eventclients holds the end-to-end tests of events with libraries that others wrote: the CloudEvents and the
// CDEvents SDKs for Go. It is a module of its own, so that nobody who uses Serin downloads them.
package eventclients
