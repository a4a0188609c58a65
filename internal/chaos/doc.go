// Package chaos is what the programs of `make chaos` share: the script of a run, and what each of them writes down.
//
// A run has real processes: NATS servers, workers (serin serve), a Prometheus that answers by the script, a flag store, a
// rollback subscriber, a webhook receiver, and a proxy that can cut a worker off. cmd/chaos starts them, plays the script
// and does harm to them; cmd/world is the helpers; cmd/weight is the command of the exec movers; cmd/audit reads what a
// run has left behind and says what is doubled, missing or silent.
//
// What a run leaves in its directory:
//
//	script.json        what was released, and what is owed for it
//	run.json           the end of the run and the interval
//	faults.jsonl       what was done to whom, and when
//	evaluations.jsonl  every evaluation that the Prometheus stub was asked for
//	*.calls.jsonl      every call of flag store, subscriber and webhook receiver, with its key
//	STREAM.jsonl       the raw streams: journal, events, flags, dead letters
//	logs/              what the processes said
package chaos
