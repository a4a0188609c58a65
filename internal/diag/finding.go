package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Line and Column count from 1; a zero Line means the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String is file:line:column, or as much of it as is known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity tells an error, which refuses the file, from a warning, which does not.
type Severity string

// The severities; the zero value counts as an error.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing to say about a file.
type Finding struct {
	Position
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`        // what is wrong
	Cure     string   `json:"cure,omitempty"` // what to write instead
}

// String is one line for a terminal: place, severity, message, cure.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s: %s", f.Position, cmp.Or(f.Severity, Error), f.Message)
	if f.Cure != "" {
		s += "; " + f.Cure
	}
	return s
}

// Findings is everything said about one or more files. It is an error when one of them is.
type Findings []Finding

// Err returns the findings as an error if one of them is an error, else nil.
func (fs Findings) Err() error {
	for _, f := range fs {
		if f.Severity != Warning {
			return fs
		}
	}
	return nil
}

// Error lists the findings, a line each.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the findings in the order of their places.
func (fs Findings) Sorted() Findings {
	out := slices.Clone(fs)
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}
