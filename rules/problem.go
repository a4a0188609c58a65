package rules

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with a template.
type Problem struct {
	Offset  int    // in bytes, into the text as written
	Message string // what is wrong
	Cure    string // what to write instead; may be empty
}

// Problems is everything wrong with a template, as an error.
type Problems []Problem

// Error lists the problems, a line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = fmt.Sprintf("offset %d: %s", p.Offset, p.Message)
		if p.Cure != "" {
			lines[i] += "; " + p.Cure
		}
	}
	return strings.Join(lines, "\n")
}
