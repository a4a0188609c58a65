package policytest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// Failed counts the tests that failed.
func Failed(results []Result) int {
	n := 0
	for _, r := range results {
		if !r.Passed {
			n++
		}
	}
	return n
}

// Text writes the results for people: a line for each file, and all there is to know about what failed.
func Text(w io.Writer, results []Result) error {
	var b strings.Builder
	for _, file := range byFile(results) {
		failed := Failed(file)
		if failed == 0 {
			fmt.Fprintf(&b, "ok    %s: %s\n", file[0].File, tests(len(file)))
			continue
		}
		fmt.Fprintf(&b, "FAIL  %s: %d of %s failed\n", file[0].File, failed, tests(len(file)))
		for _, r := range file {
			if !r.Passed {
				fmt.Fprintf(&b, "\n  %s (%s:%d)\n", oneLine(r.Name), r.File, r.Line)
				r.explain(&b)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}

// byFile groups the results of each file, in their order.
func byFile(results []Result) [][]Result {
	var out [][]Result
	for i, r := range results {
		if i == 0 || results[i-1].File != r.File {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

// explain writes the failures of a test.
func (r Result) explain(b *strings.Builder) {
	for _, f := range r.Failures {
		fmt.Fprintf(b, "    %s: %s\n", f.Position, oneLine(f.Message))
		for _, j := range f.Readings {
			f.reading(b, j)
		}
		if f.Course != "" {
			b.WriteString("      what happened:\n" + indented(f.Course, "        "))
		}
	}
}

// reading writes what a verdict rests on.
func (f Failure) reading(b *strings.Builder, j analysis.Judgement) {
	r := j.Reading
	fmt.Fprintf(b, "      reading of %s at %s: %s (%s)\n", j.Rule, clock(r.At.Sub(f.zero)), j.Verdict, oneLine(j.Reason))
	var facts []string
	for _, name := range numbers {
		if n := number(r, name); n != nil {
			facts = append(facts, name+" "+figure(float64(*n)))
		}
	}
	if r.LimitKind != "" {
		facts = append(facts, "limit is "+r.LimitKind)
	}
	if len(r.Labels) > 0 {
		facts = append(facts, "series "+labelText(r.Labels))
	}
	facts = append(facts, "window "+clock(r.Window), "asked for "+r.At.UTC().Format(time.RFC3339Nano))
	fmt.Fprintf(b, "        %s\n", oneLine(strings.Join(facts, ", ")))
	for _, q := range [...][2]string{{"query", r.Query}, {"bad", r.BadQuery}, {"total", r.TotalQuery}} {
		if q[1] != "" {
			fmt.Fprintf(b, "        %-5s  %s\n", q[0], oneLine(strings.TrimSpace(q[1])))
		}
	}
}

func labelText(labels map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	return "{" + strings.Join(out, ",") + "}"
}

func indented(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + line)
	}
	return b.String()
}

// JSON writes the results as one array.
func JSON(w io.Writer, results []Result) error {
	if results == nil {
		results = []Result{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(results)
}
