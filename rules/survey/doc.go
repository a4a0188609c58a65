// Package survey decides from what a Prometheus has: what is wrong with rules that are held against it, and which rules
// would suit a service.
//
//	Template ─ Look ─► View ─ Questions ─► (someone asks) ─► Known ─ Inspect ─► notes, each at its place in the PromQL
//	names ─ Candidates ─► (someone asks) ─► rows ─ Understand ─► Series ─ Propose ─► the text of a policy
//
// # What it guarantees
//
// It asks nobody: questions are PromQL for others to ask, and answers are values. The same answers lead to the same notes
// and the same text. A variable without a value is open: it stands for any value, so that a rule can be looked at before
// there is a release. What may rightly be missing, such as the series of errors that never happened, is no fault.
package survey
