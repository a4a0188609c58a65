package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const output = `goos: linux
BenchmarkEvaluationOfHundred-2   	     843	   2798419 ns/op	     22498 cpu-ns/evaluation	  601252 B/op	    6265 allocs/op
BenchmarkPassingTick-2           	  830192	      1455 ns/op	    1376 B/op	       5 allocs/op
BenchmarkRelease-2               	      10	       120.5 ms-to-off-p99
BenchmarkRelease-2               	      10	        11.5 ms-to-off-p99
BenchmarkSomething/else-16 broken
PASS
`

func TestTheTableHoldsWhatWasMeasuredAgainstItsFigure(t *testing.T) {
	measured := results{}
	for line := range strings.Lines(output) {
		measured.add(strings.TrimSpace(line))
	}
	of := func(benchmark, unit string) []metric { return []metric{{benchmark, unit}} }
	got := table([]row{
		{what: "both", of: []metric{{"EvaluationOfHundred", "cpu-ns/evaluation"}, {"PassingTick", "ns/op"}}, added: true, scale: 1e-3, format: "%.1f µs", figure: "≤ 23 µs", atMost: 23},
		{what: "in steps", of: of("PassingTick", "ns/op"), scale: 1e-3, format: "%.1f µs", figure: "≤ 2 µs", atMost: 2},
		{what: "two", of: []metric{{"PassingTick", "B/op"}, {"PassingTick", "allocs/op"}}, format: "%.0f, %.0f", figure: "≤ 5", atMost: 5, judged: 1},
		{what: "the worst of two runs", of: of("Release", "ms-to-off-p99"), format: "%.1f ms", figure: "≤ 100 ms", atMost: 100},
		{what: "told alone", of: of("PassingTick", "allocs/op"), format: "%.0f"},
		{what: "not run", of: of("FailOver", "s-to-first"), format: "%.0f"},
	}, measured)
	want := `
what                   figure    measured
both                   ≤ 23 µs   24.0 µs   NOT MET
in steps               ≤ 2 µs    1.5 µs    met
two                    ≤ 5       1376, 5   met
the worst of two runs  ≤ 100 ms  120.5 ms  NOT MET
told alone                       5

1 more rows were not measured in this run.
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestNothingMeasuredIsNoTable(t *testing.T) {
	if got := table(rows(), results{}); got != "" {
		t.Errorf("table %q", got)
	}
}

func TestEveryRowIsWellFormed(t *testing.T) {
	measured := results{}
	for _, r := range rows() {
		for _, m := range r.of {
			if measured[m.benchmark] == nil {
				measured[m.benchmark] = map[string]float64{}
			}
			measured[m.benchmark][m.unit] = 0
		}
	}
	if got := table(rows(), measured); strings.Contains(got, "%!") || strings.Contains(got, "NOT MET") || strings.Contains(got, "not measured") {
		t.Errorf("of zeros:\n%s", got)
	}
}
