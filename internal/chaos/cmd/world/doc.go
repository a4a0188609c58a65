// Command world is the helpers of a chaos run, each a process of its own: a Prometheus that answers by the script, a flag
// store, a rollback subscriber, a webhook receiver, and a proxy that can be cut. Each says on standard output where it
// listens, and ends with its standard input.
package main
