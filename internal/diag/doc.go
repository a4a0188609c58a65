// Package diag holds what Serin says about a file that a person wrote: where, what is wrong, and what cures it.
//
// A [Finding] always has a place. Findings are collected, never returned one at a time, so that one run tells all.
// The package depends on the standard library alone and never reads a file itself.
package diag
