package policytest

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
)

// Result is how one test went.
type Result struct {
	diag.Position
	Name     string    `json:"name"`
	Passed   bool      `json:"passed"`
	Seconds  float64   `json:"seconds"`  // of real time
	Failures []Failure `json:"failures"` // none: it passed
	Course   []string  `json:"course"`   // what happened, as lines of a course
	Outcome  string    `json:"outcome"`
	Cause    string    `json:"cause,omitempty"`
	Ended    string    `json:"ended,omitempty"` // since the release
}

// Failure is one expectation that was not met.
type Failure struct {
	diag.Position
	Message  string               `json:"message"`
	Readings []analysis.Judgement `json:"readings"` // what it rests on
	Course   string               `json:"course,omitempty"`
	zero     time.Time
}

// Runner runs tests. Its fields may be left out.
type Runner struct {
	Now    func() time.Time // measures how long a test takes; nil: it is not measured
	Select *regexp.Regexp   // runs only tests with such names; nil: all
}

// Run runs the selected tests of the files, several at once, and returns their results in the order written. Tests that
// the end of ctx cut off are failed.
func (r Runner) Run(ctx context.Context, files []File) []Result {
	type job struct {
		file File
		test Test
	}
	var jobs []job
	for _, f := range files {
		for _, t := range f.Tests {
			if r.Select == nil || r.Select.MatchString(t.Name) {
				jobs = append(jobs, job{f, t})
			}
		}
	}
	engine, results := newEngine(), make([]Result, len(jobs))
	next := make(chan int, len(jobs))
	for i := range jobs {
		next <- i
	}
	close(next)
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		all.Go(func() {
			for i := range next {
				results[i] = r.run(ctx, engine, jobs[i].file.Policy, jobs[i].test)
			}
		})
	}
	all.Wait()
	return results
}

func (r Runner) run(ctx context.Context, engine *promql.Engine, p deployments.Policy, t Test) Result {
	began := r.now()
	sim, err := deployments.Simulate(ctx, p, analysis.Analyst{Querier: querier{engine, t.store(), t}}, t.script(p))
	out := Result{Position: t.At, Name: t.Name, Failures: []Failure{}, Course: []string{}}
	course, end := courseOf(t.Zero, sim.Entries), endOf(t.Zero, sim.Entries)
	for _, m := range course {
		out.Course = append(out.Course, m.String())
	}
	out.Outcome, out.Cause = end.Outcome, end.Cause
	if end.Ended != nil {
		out.Ended = clock(*end.Ended)
	}
	if err != nil {
		out.Failures = append(out.Failures, Failure{Position: t.At, Message: fmt.Sprintf("the release is not taken through: %v", err), zero: t.Zero})
	} else {
		out.Failures = append(out.Failures, t.compareLooks(sim.Looks)...)
		out.Failures = append(out.Failures, t.compareCourse(course, end, sim.Rounds)...)
	}
	out.Passed, out.Seconds = len(out.Failures) == 0, r.now().Sub(began).Seconds()
	return out
}

func (r Runner) now() time.Time {
	if r.Now == nil {
		return time.Time{}
	}
	return r.Now()
}

// script is the test as the simulation plays it.
func (t Test) script(p deployments.Policy) deployments.Script {
	rel := deployments.Release{Slot: p.Slot, ID: "test", Version: t.Version}
	s := deployments.Script{Release: rel, Stable: t.Stable, At: t.Zero, Until: t.Zero.Add(t.Until), ConfirmAfter: t.ConfirmAfter}
	for _, h := range t.Happenings {
		happening := deployments.Happening{At: t.Zero.Add(h.At), Command: h.Command}
		if h.Version != "" {
			newer := rel
			newer.ID, newer.Version = strings.Join([]string{"test", clock(h.At), h.Version}, " "), h.Version
			happening.Release = newer
		}
		s.Happenings = append(s.Happenings, happening)
	}
	for _, l := range t.Verdicts {
		s.Looks = append(s.Looks, t.Zero.Add(l.At))
	}
	return s
}
