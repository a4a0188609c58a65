// Package yamldoc reads YAML that people write, and keeps the place of every value.
//
// Every noun parses its own section of a policy with it: [Value.Map] names the keys it knows, and each unknown key,
// wrong type, bad duration or word outside a closed list becomes one [diag.Finding] with its place and its cure.
// Reading goes on after a finding, so that one run tells all. It never panics on any input and never reads a file.
package yamldoc
