// Package eventschema describes the events of Serin as JSON Schemas (draft 2020-12), for programs that read or write them.
//
// [Events] is one document: of a public event as a CloudEvent in structured mode, and under $defs of the data of each
// event, by its name, which is what a binary event has for a body: events.schema.json#/$defs/rollout.promoted. It is made
// from the Go types, and says of each event what it always carries. [Release] is of a release event's data.
//
// # What it guarantees
//
// Whatever this version of Serin publishes fits, and has no property that the schema does not list; tests hold both
// against real events. A schema takes unknown properties all the same: a later version of Serin may add some.
//
// What a release is refused for beyond its form, such as naming another service than its subject, no schema says.
package eventschema
