// Package policyfile is the policy as people write it, and its tests.
//
// A [Document] has every key that a policy file may have, each with a sentence, its unit and its default. From its types
// follow two things: [Schema], a JSON Schema for editors, and [Effective], the file that says the same as a policy with
// every default filled in. [Tests] is a file of tests in the same way, with [TestsSchema].
//
//	types of Document ─ reflection ─► Schema     (editors)
//	deployments.Policy ─ Effective ─► Document ─ YAML ─► text that parses to the same Policy
//
// # What it guarantees
//
// The parsers are the truth, and this package is held against them by tests: the keys of each mapping and the words of
// each key are those that the parser knows, every valid policy fits the schema, and what [Document.YAML] writes parses to the
// policy that it was made from. A key or word that is added to the parser alone turns a test red.
//
// It reads no file, and it finds no faults: a schema's complaints tell neither cause nor cure, and `serin check` does.
package policyfile
