package deployments

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
)

// read is the nth reading of a rule.
func read(rule string, n int) analysis.Judgement {
	v := analysis.Number(n)
	return analysis.Judgement{Rule: rule, Verdict: analysis.Healthy, Reason: fmt.Sprint(n%2, " ≤ 5"),
		Reading: analysis.Reading{At: time.Unix(int64(n), 0), Query: fmt.Sprint("q", n%3), Value: &v, Labels: map[string]string{"pod": "a"}}}
}

func TestTheLastReadingsOfEachRuleAreKept(t *testing.T) {
	for name, limits := range map[string][]int{"steady": {5}, "falling": {9, 7, 3}, "rising": {2, 4, 8}, "one": {1}} {
		t.Run(name, func(t *testing.T) {
			var r recent
			grown := 0
			var a, b []analysis.Judgement
			limit := 0
			for n := range 60 {
				limit = limits[min(n/20, len(limits)-1)]
				grown += r.add("one", []analysis.Judgement{read("a", n), read("b", n)}, limit)
				a, b = append(a, read("a", n)), append(b, read("b", n))
			}
			want := slices.Concat(a[60-limit:], b[60-limit:])
			if diff := cmp.Diff(want, r.of("one")); diff != "" || grown != 2 {
				t.Errorf("%d rules, kept (-want +got):\n%s", grown, diff)
			}
			if c := cap(r.byRule["a"]); c > 2*limit {
				t.Errorf("room for %d readings, limit %d", c, limit)
			}
		})
	}
}

func TestReadingsOfTheRolloutBeforeAreForgotten(t *testing.T) {
	var r recent
	grown := r.add("one", []analysis.Judgement{read("a", 1), read("b", 1)}, 10)
	if got := r.of("two"); len(got) != 0 {
		t.Errorf("of a rollout without readings: %v", got)
	}
	grown += r.add("two", []analysis.Judgement{read("a", 2)}, 10)
	if diff := cmp.Diff([]analysis.Judgement{read("a", 2)}, r.of("two")); diff != "" || grown != 1 || len(r.of("one")) != 0 {
		t.Errorf("%d rules, kept (-want +got):\n%s", grown, diff)
	}
}

func TestReadingsShareWhatIsTheSame(t *testing.T) {
	var r recent
	for n := range 2 {
		j := read("a", n)
		j.Reading.Query = fmt.Sprint("up", len(r.order)*0) // the same text, and another string each time
		r.add("one", []analysis.Judgement{j}, 10)
	}
	all := r.of("one")
	if unsafe.StringData(all[0].Reading.Query) != unsafe.StringData(all[1].Reading.Query) {
		t.Error("the query is kept twice")
	}
}

func TestAWorkerWithManyRulesKeepsFewerReadingsOfEach(t *testing.T) {
	for rules, want := range map[int64]int{0: 120, 1: 120, 2083: 120, 25_000: 10, 250_000: 1, 10_000_000: 1} {
		if got := kept(rules); got != want {
			t.Errorf("%d rules keep %d readings each, want %d", rules, got, want)
		}
	}
}
