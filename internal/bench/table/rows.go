package main

import (
	"fmt"
	"slices"
	"strings"
)

// row is one line of the table.
type row struct {
	what   string
	of     []metric // shown one beside the other, or added up
	added  bool
	scale  float64 // 0: 1
	format string  // of all that is shown
	figure string  // to be reached; "": none, it is measured and told
	atMost float64 // the figure
	judged int     // which of those shown the figure is for
}

// rows are the figures to be reached. "At ease" is taken to mean: nothing missed, half of one core, and 99 of 100 read
// within a third of the interval.
func rows() []row {
	return slices.Concat(evaluation(),
		worker("10,000 rollouts in one worker, each read every 30 s by 3 rules (4 queries)", "Rollouts/10000", true),
		worker("10,000 rollouts, all due at one instant", "Rollouts/10000Together", true),
		worker("100,000 rollouts", "Rollouts/100000", false),
		reactions())
}

func evaluation() []row {
	const perEvaluation = "cpu-ns/evaluation"
	us := func(what string, of ...metric) row {
		return row{what: what, of: of, added: true, scale: 1e-3, format: "%.1f µs"}
	}
	query, state := metric{"EvaluationOfHundred", perEvaluation}, metric{"PassingTick", perEvaluation}
	all := us("Processor time of an evaluation: query, verdict, state", query, state)
	all.figure, all.atMost = "≤ 60 µs", 60
	return []row{all,
		us("– query and verdict, in batches of 100", query),
		us("– query and verdict of a rollout that is alone", metric{"EvaluationAlone", perEvaluation}),
		us("– state: a passing tick", state),
		us("– for comparison: a bare net/http request that is alone", metric{"BareRequest", perEvaluation}),
		{what: "Allocations of an evaluation: query and verdict", of: []metric{{"EvaluationOfHundred", "allocs/op"}}, scale: 0.01, format: "%.0f"},
		{what: "– state", of: []metric{{"PassingTick", "allocs/op"}}, format: "%.0f"},
	}
}

// worker is what a benchmark of many rollouts reports.
func worker(what, benchmark string, atEase bool) []row {
	of := func(units ...string) (ms []metric) {
		for _, u := range units {
			ms = append(ms, metric{benchmark, u})
		}
		return ms
	}
	missed := row{what: what + ": evaluations missed, or an interval late; not healthy", of: of("missed", "unusable"), format: "%.0f, %.0f", figure: "0"}
	processor := row{what: "– processor time, of one core", of: of("%-of-one-core"), format: "%.1f %%", figure: "at ease: ≤ 50 %", atMost: 50}
	late := row{what: "– lateness p50, p99, max", of: of("ms-late-p50", "ms-late-p99", "ms-late-max"), scale: 1e-3, format: "%.2f, %.2f, %.2f s",
		figure: "at ease: p99 ≤ 10 s", atMost: 10, judged: 1}
	if !atEase {
		missed.figure, processor.figure, late.figure = "", "", ""
	}
	return []row{missed, processor, late,
		{what: "– evaluations a second, processor time of each with all that belongs to it", of: of("evaluations/s", "cpu-us/evaluation"), format: "%.0f, %.0f µs"},
		{what: "– writes to NATS in its passing ticks", of: of("writes"), format: "%.0f", figure: "0"},
		{what: "– memory a rollout (heap and stacks), process at its peak", of: of("KiB/rollout", "MiB-peak"), format: "%.1f KiB, %.0f MiB"},
		{what: "– from its start until it holds all, has read all", of: of("s-to-hold-all", "s-to-read-all"), format: "%.1f, %.1f s"},
	}
}

func reactions() []row {
	return []row{
		{what: "Deciding reading → flag confirmed off, p99", of: []metric{{"Release", "ms-to-off-p99"}}, format: "%.1f ms", figure: "≤ 100 ms", atMost: 100},
		{what: "Release event → first exposure, p99", of: []metric{{"Release", "ms-to-exposure-p99"}}, format: "%.1f ms", figure: "≤ 50 ms", atMost: 50},
		{what: "Fail-over: kill -9 of a worker → another has read the first of its rollouts, slowest of 3", of: []metric{{"FailOver", "s-to-first"}}, format: "%.1f s", figure: "≤ 6 s", atMost: 6},
		{what: "– → all 1,000 of them", of: []metric{{"FailOver", "s-to-all"}}, format: "%.1f s"},
		{what: "Start to ready, embedded, empty store", of: []metric{{"Start", "ns/op"}}, scale: 1e-6, format: "%.0f ms", figure: "≤ 300 ms", atMost: 300},
	}
}

// cells are the row's, filled in. Without any of its benchmarks it has none.
func (r row) cells(measured results) ([]string, bool) {
	var shown []any
	var judged float64
	for i, m := range r.of {
		v, ok := measured[m.benchmark][m.unit]
		if !ok {
			return nil, false
		}
		if r.scale != 0 {
			v *= r.scale
		}
		switch {
		case r.added && i > 0:
			shown[0] = shown[0].(float64) + v
			judged += v
		default:
			shown = append(shown, v)
			if i == r.judged {
				judged = v
			}
		}
	}
	verdict := ""
	if r.figure != "" {
		verdict = "met"
		if !(judged <= r.atMost) { // also of NaN
			verdict = "NOT MET"
		}
	}
	return []string{r.what, r.figure, fmt.Sprintf(r.format, shown...), verdict}, true
}

// table is all rows that were measured, in columns. Of none it is empty.
func table(rows []row, measured results) string {
	lines := [][]string{{"what", "figure", "measured", ""}}
	left := 0
	for _, r := range rows {
		if cells, ok := r.cells(measured); ok {
			lines = append(lines, cells)
		} else {
			left++
		}
	}
	if len(lines) == 1 {
		return ""
	}
	var widths [4]int
	for _, cells := range lines {
		for i, c := range cells {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	b.WriteByte('\n')
	for _, cells := range lines {
		for i, c := range cells {
			cells[i] = c + strings.Repeat(" ", widths[i]-len([]rune(c)))
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%d more rows were not measured in this run.\n", left)
	}
	return b.String()
}
