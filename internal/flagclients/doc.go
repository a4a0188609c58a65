// Package flagclients holds the end-to-end tests of flags with clients that others wrote: OpenFeature providers, and the
// clients of flag systems, in Go and on Node. It is a module of its own, so that nobody who uses Serin downloads them.
package flagclients
