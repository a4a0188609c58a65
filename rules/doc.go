// Package rules answers: what does healthy mean?
//
// A [Rule] is a ratio of bad events to all, or the value of a query, with its limits; an [Alert] is a Prometheus alerting
// rule as it stands, whose expression is asked without its comparison. A [Set] is the rules of one policy, read by
// [ParseSet] from YAML. A [Template] is PromQL with {{name}} variables. A [Schedule] says when a rule is
// read, and [Set.NextDue] and [Set.Due] say so for all of them.
//
//	YAML ─ ParseSet ─► Set ─ NextDue, Due ─► names of rules ─► Template.Render(Vars) ─► query
//
// # What it guarantees
//
// Every fault of a file is found at once, with line, column and cure, also inside PromQL and block scalars. A template
// that compiles renders for every value that can be written at its places, and no value changes the query's shape: a
// version named `x"} or vector(1)#` is a version that no series has. Text outside of variables is sent byte for byte as
// it was written.
//
// It never asks Prometheus, never asks for the time, and judges nothing: that is package analysis.
//
// # Design
//
// Variables are told apart by where they stand, and the parser says where that is: each is replaced by a stand-in, a
// rune of its own inside strings, and the parsed query shows in which matcher, regular expression or argument the rune
// ended up. Where a value could become a name, an escape sequence or a part of a regular expression's syntax, the
// template is refused when it is read, not when a release comes.
//
// A plain selector for `total` is wrapped as sum(increase(…)) and count(…): it is empty as soon as the series are gone
// at the instant, while the window still remembers them. That shows lost data without a second query.
package rules
