package steps_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

// peerRun is one published case of another tool about a run of readings: counts, limits, errors, ends. The facts are
// told in our own words.
//
// A reading is a word of one letter a rule: S healthy, F unhealthy, I inconclusive, E an outage, N no data, - not read
// yet; one a minute, in a step of ten. Besides, | is the next step, and P an order to end all bakes now.
type peerRun struct {
	from     string // the tool's test or page, and the case
	theirs   string // its settings, in its own words
	says     string // what it makes of the run
	ours     string // our rules, one a line: what they say besides the query
	readings string
	want     string // what we make of it: goes on, waits, goes back, refused
	differs  string // the difference's name in the chapter, exactly where ours is another
}

// The differences of runs, by their names in the chapter.
const (
	holdNoFailure = "A hold is no failure"
	needsAPass    = "Nothing passes without a pass"
	holdEnds      = "A hold ends by itself"
	perStep       = "Failures are counted per step"
	perRule       = "Each rule has its own budget"
	atOnce        = "A rollback does not wait for the next reading"
	needsARule    = "A rollout needs a rule"
)

// fates are what other tools' verdicts of a run do to the release.
var fates = map[string]string{
	"Successful": "goes on", "Running": "waits", "Inconclusive": "waits", "Failed": "goes back", "Error": "goes back", // Argo
	"advances": "goes on", "stays": "waits", "rolls back": "goes back", // Flagger
}

// argoRuns are of argo-rollouts: analysis/analysis_test.go.
var argoRuns = []peerRun{
	{"failure limit: more than it", "failureLimit 2", "Failed", "failures_in_a_row: 3, failures_in_a_step: 3", "F F F", "goes back", ""},
	{"failure limit: as many", "failureLimit 3", "Running", "failures_in_a_row: 4, failures_in_a_step: 4", "F F F", "waits", ""},
	{"failure limit: as many, and the run is ended", "failureLimit 3", "Successful", "failures_in_a_row: 4, failures_in_a_step: 4", "F F F P", "waits", needsAPass},
	{"failure limit: the default", "", "Failed", "for: 0s", "F", "goes back", ""},
	{"failure limit: successes between", "failureLimit 2", "Failed", "failures_in_a_row: 3, failures_in_a_step: 3", "F S F S F", "goes back", ""},
	{"failure limit: of the whole run", "failureLimit 2", "Failed", "failures_in_a_row: 3, failures_in_a_step: 3", "F F | F", "waits", perStep},
	{"inconclusive limit: more than it", "inconclusiveLimit 2", "Inconclusive", "for: 1m", "I I I", "waits", ""},
	{"inconclusive limit: as many", "inconclusiveLimit 3", "Running", "for: 1m", "I I I", "waits", ""},
	{"inconclusive limit: as many, and the run is ended", "inconclusiveLimit 3", "Successful", "for: 1m", "I I I P", "waits", needsAPass},
	{"inconclusive limit: more than it, then successes", "inconclusiveLimit 2", "Inconclusive", "for: 1m", "I I I S S S S S S S", "goes on", holdEnds},
	{"errors: five in a row", "consecutiveErrorLimit 4, the default", "Error", "for: 1m", "E E E E E", "waits", holdNoFailure},
	{"errors: five in a row, and the rule says so", "consecutiveErrorLimit 4, the default", "Error", "on_error: rollback, fail_after: 4m", "E E E E E", "goes back", ""},
	{"errors: four in a row", "consecutiveErrorLimit 4, the default", "Running", "for: 1m", "E E E E", "waits", ""},
	{"errors: four in a row, and the run is ended", "consecutiveErrorLimit 4, the default", "Successful", "for: 1m", "E E E E P", "waits", needsAPass},
	{"errors: a success between", "consecutiveErrorLimit 4, the default", "Running", "for: 1m", "E E E S E E E", "waits", ""},
	{"errors: they do not hide a failure", "failureLimit 0", "Failed", "for: 0s\nfor: 0s", "EF", "goes back", ""},
	{"count: reached", "count 10", "Successful", "for: 0s", "S S S S S S S S S S", "goes on", ""},
	{"count: reached, the last ones inconclusive", "count 10", "Inconclusive", "for: 0s", "S S S S S I I I I I", "waits", ""},
	{"no measurement yet", "", "Running", "for: 0s", "", "waits", ""},
	{"no measurement, and the run is ended", "", "Successful", "for: 0s", "P", "waits", needsAPass},
	{"run: one metric is not done", "", "Running", "for: 0s\nfor: 0s", "S- S- S- S- S- S- S- S- S- S-", "waits", ""},
	{"run: one failed", "", "Failed", "for: 0s\nfor: 0s", "SF", "goes back", ""},
	{"run: one failed, one inconclusive", "", "Failed", "for: 0s\nfor: 0s", "IF", "goes back", ""},
	{"run: one in error, one successful", "", "Error", "for: 0s\nfor: 0s", "ES ES ES ES ES", "waits", holdNoFailure},
	{"dry run: one of two fails", "dryRun of the second", "Successful", "for: 0s\ndry_run: true", "SF SF SF SF SF SF SF SF SF SF", "goes on", ""},
	{"dry run: all metrics", "dryRun .*", "Successful", "dry_run: true", "F F F F F F F F F F", "refused", needsARule},
}

// flaggerRuns are of flagger: pkg/controller/scheduler_*_test.go, docs/gitbook/usage/how-it-works.md and its issues.
var flaggerRuns = []peerRun{
	{"threshold: one less, then it passes", "threshold 10", "advances", "failures_in_a_row: 10, failures_in_a_step: 10", "F F F F F F F F F S", "goes on", ""},
	{"threshold: reached", "threshold 3", "stays", "failures_in_a_row: 3, failures_in_a_step: 3", "F F F", "goes back", atOnce},
	{"threshold: reached, one tick later", "threshold 3", "rolls back", "failures_in_a_row: 3, failures_in_a_step: 3", "F F F F", "goes back", ""},
	{"threshold: none written", "", "rolls back", "for: 0s", "F F", "goes back", ""},
	{"threshold: not in a row", "threshold 3", "rolls back", "failures_in_a_row: 3, failures_in_a_step: 3", "F S F S F S", "goes back", ""},
	{"threshold: over several weights", "threshold 3", "rolls back", "failures_in_a_row: 3, failures_in_a_step: 3", "F F | F S", "waits", perStep},
	{"threshold: of several metrics", "threshold 2", "rolls back",
		"failures_in_a_row: 2, failures_in_a_step: 2\nfailures_in_a_row: 2, failures_in_a_step: 2", "FS SF SS", "waits", perRule},
	{"threshold: two metrics at once count once", "threshold 2", "stays",
		"failures_in_a_row: 2, failures_in_a_step: 2\nfailures_in_a_row: 2, failures_in_a_step: 2", "FF", "waits", ""},
	{"no values, and the rule says so", "threshold 3", "rolls back", "fail_after: 3m", "N N N N N N N N N N", "goes back", ""},
	{"no values", "threshold 3", "rolls back", "failures_in_a_row: 3, failures_in_a_step: 3", "N N N N", "waits", holdNoFailure},
	{"the metrics server does not answer", "threshold 3", "rolls back", "failures_in_a_row: 3, failures_in_a_step: 3", "E E E E", "waits", holdNoFailure},
	{"traffic stops midway, as issue 1011 reports", "threshold 3", "advances", "for: 1m", "S S S S S N N N N N", "waits", needsAPass},
	{"skipAnalysis", "skipAnalysis true", "advances", "for: 1m", "P", "waits", needsAPass},
	{"an analysis without metrics", "", "advances", "dry_run: true", "S", "refused", needsARule},
}

// tolerances reads our side of a case as a policy would be read.
func tolerances(t *testing.T, lines string) []rules.Tolerance {
	t.Helper()
	var text strings.Builder
	for i, line := range strings.Split(lines, "\n") {
		fmt.Fprintf(&text, "- {name: rule-%d, query: up, max: 1, %s}\n", i+1, line)
	}
	file, docs := yamldoc.Parse("peer.yaml", []byte(text.String()))
	var out []rules.Tolerance
	for _, doc := range docs {
		out = rules.ParseSet(doc, yamldoc.Value{}, nil).Tolerances()
	}
	if err := file.Findings.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// peerRollout plays one case.
type peerRollout struct {
	steps.Rollout
	now time.Time
}

func (p *peerRollout) next(in steps.Input) { p.Rollout, _ = p.Next(p.now, in) }

func (p *peerRollout) confirm() {
	p.next(steps.Applied{Seq: p.Seq, Target: steps.Traffic, Observed: p.Want, Confirmed: true, How: "test"})
}

var letters = map[rune]analysis.Verdict{'S': analysis.Healthy, 'F': analysis.Unhealthy, 'I': analysis.Inconclusive, 'E': analysis.Outage, 'N': analysis.NoData}

func (p *peerRollout) read(word string) {
	p.now = p.now.Add(time.Minute)
	m := steps.Measured{At: p.now, Seq: p.Seq}
	for i, letter := range word {
		if v, ok := letters[letter]; ok {
			m.Verdicts = append(m.Verdicts, analysis.Judgement{Rule: p.Plan.Rules[i].Rule, Verdict: v, Reason: v.String(),
				Data: v == analysis.Healthy || v == analysis.Unhealthy, Reading: analysis.Reading{At: p.now}})
		}
	}
	p.next(m)
	p.next(steps.Tick{}) // what a hold leads to is a matter of time
}

// play takes the rollout to its first step, through the readings, and says what became of it.
func (c peerRun) play(t *testing.T) string {
	t.Helper()
	plan := plan()
	plan.Rules = tolerances(t, c.ours)
	plan.Steps[0].Bake = 10 * time.Minute
	r, err := steps.NewRollout("r1", "production", "checkout", "1.1.0", "1.0.0", plan, epoch)
	if err != nil {
		return "refused"
	}
	p := &peerRollout{r, epoch}
	p.next(steps.Tick{})
	p.confirm()
	for _, word := range strings.Fields(c.readings) {
		switch word {
		case "|":
			p.now = p.now.Add(10 * time.Minute)
			p.read(strings.Repeat("S", len(plan.Rules)))
			p.confirm()
		case "P":
			p.next(steps.Command{Verb: steps.Promote, Full: true, By: "ada"})
			p.next(steps.Tick{})
		default:
			p.read(word)
		}
	}
	begun := strings.Count(c.readings, "|")
	switch {
	case p.Failure != nil:
		return "goes back"
	case p.Step > begun:
		return "goes on"
	case p.Phase != steps.Baking:
		t.Fatalf("step %d, %s", p.Step, p.Phase)
	}
	return "waits"
}

func runPeerRuns(t *testing.T, runs []peerRun) {
	t.Helper()
	for _, c := range runs {
		t.Run(c.from, func(t *testing.T) {
			theirs, known := fates[c.says]
			if !known {
				t.Fatalf("unknown verdict %q", c.says)
			}
			got := c.play(t)
			if got != c.want {
				t.Errorf("%s of %s: the release %s, want %s", c.readings, c.theirs, got, c.want)
			}
			if (got != theirs) != (c.differs != "") {
				t.Errorf("%s of %s: theirs %s (%s), ours %s, and the difference is named %q", c.readings, c.theirs, theirs, c.says, got, c.differs)
			}
		})
	}
}

func TestArgoRolloutsRuns(t *testing.T) { runPeerRuns(t, argoRuns) }
func TestFlaggerRuns(t *testing.T)      { runPeerRuns(t, flaggerRuns) }

var difference = regexp.MustCompile(`(?m)^\* \*\*(.+?)\.\*\*`)

// TestTheChapterNamesEachDifferenceOfRuns keeps chapter and cases together, both ways.
func TestTheChapterNamesEachDifferenceOfRuns(t *testing.T) {
	page, err := os.ReadFile("../rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(page), "\n### A run of readings\n")
	if !found {
		t.Fatal("rules/README.md has no part on runs of readings")
	}
	part, _, _ = strings.Cut(part, "\n#")
	named, seen := map[string]bool{}, map[string]bool{}
	for _, m := range difference.FindAllStringSubmatch(part, -1) {
		named[m[1]] = true
	}
	for _, c := range slices.Concat(argoRuns, flaggerRuns) {
		if c.differs != "" {
			seen[c.differs] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(named))); diff != "" {
		t.Errorf("differences of the cases and of rules/README.md (-cases +chapter):\n%s", diff)
	}
}
