// Package flagstest holds what every [flags.Store] must do, as one suite of tests, and a store in memory.
//
// [Run] is called by the tests of each store, with a function that opens an empty one. [Memory] is the simplest store
// that passes: tests of what uses a store take it where no real one is needed.
package flagstest
