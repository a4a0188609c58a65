package rules

import (
	"fmt"
	"slices"
	"time"
)

// Template is PromQL with variables, parsed and checked. The zero Template is empty. It is immutable: copies share it.
type Template struct {
	text    string
	pieces  []piece
	reaches []reach // what of the past the query's selectors see, without repetitions
	rate    bool    // calls rate or irate
}

// piece is literal text and the variable after it. The last piece of a template has none.
type piece struct {
	literal string
	placeholder
}

// reach is how far back one selector looks: fixed, plus so many times the window.
type reach struct {
	fixed   time.Duration
	windows int64
}

// Vars are the values of a template's variables.
type Vars struct {
	Service, Environment, Version, StableVersion string
	Variant, Flag                                string
	Step                                         int     // from 1
	Weight                                       float64 // percent
	Window                                       time.Duration
	Extra                                        map[string]string // {{vars.NAME}}
}

// Compile reads PromQL with {{name}} variables and checks all that can be checked without values: that the variables
// exist, that each stands where a value can be escaped, and that the query parses and yields a value. The error is
// [Problems].
func Compile(text string) (Template, error) {
	c, problems := compile(text)
	if len(problems) > 0 {
		return Template{}, problems
	}
	return c.template, nil
}

// MustCompile is Compile for texts known to be right: it panics on a problem.
func MustCompile(text string) Template {
	t, err := Compile(text)
	if err != nil {
		panic(fmt.Sprintf("compile %q: %v", text, err))
	}
	return t
}

// Text is the template as written, or as wrapped by Serin; it identifies the template.
func (t Template) Text() string { return t.text }

// Equal reports whether both have the same text.
func (t Template) Equal(u Template) bool { return t.text == u.text }

// Uses reports whether the template has the variable, named as between the braces: "version", "vars.route".
func (t Template) Uses(name string) bool {
	return slices.ContainsFunc(t.pieces, func(p piece) bool { return p.variable != noVariable && p.name == name })
}

// Reach is how far behind its instant the query looks when {{window}} stands for window: the longest range plus offset
// of its selectors, with the subqueries around them. A plain selector looks back by Prometheus' lookback alone, which
// counts as 0.
func (t Template) Reach(window time.Duration) time.Duration {
	var longest time.Duration
	for _, r := range t.reaches {
		longest = max(longest, r.fixed+time.Duration(r.windows)*window)
	}
	return longest
}

// MinReach is the part of the reach that is written into the query: no window, however short, gets below it.
func (t Template) MinReach() time.Duration { return t.Reach(0) }

// Fixed reports whether the query has a range or offset of its own, so that clipping the window is not enough.
func (t Template) Fixed() bool { return t.MinReach() > 0 }
