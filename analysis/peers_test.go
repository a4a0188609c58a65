package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
	"github.com/serin-cd/serin/rules"
)

// peerCase is one published case of another tool: what it measured, what it says of it, and what Serin says of the same.
// The facts are told in our own words; numbers that other tools derive from many points are the means of these points.
type peerCase struct {
	from    string  // the tool's page or test, and the case
	theirs  string  // its condition, in its own words
	says    string  // its verdict of this measurement
	ours    string  // rules of ours for the same, one a line: what stands between { and } of each
	answers answers // what Prometheus says
	want    string  // our verdict; "refused" where serin check refuses the rule
	differs string  // the difference's name in the chapter, exactly where the release fares otherwise
}

// answers are what Prometheus says to a rule's questions about the new version, and about the stable one.
type answers struct{ value, bad, total, stable analysis.Result }

const (
	value = `query: 'measured{version="{{version}}"}', `
	ratio = `bad: 'sum(increase(bad{version="{{version}}"}[{{window}}]))', total: 'sum(increase(all{version="{{version}}"}[{{window}}]))', `
)

// Query answers by the names in the queries.
func (a answers) Query(_ context.Context, qs []analysis.Query, _ time.Time) []analysis.Result {
	out := make([]analysis.Result, len(qs))
	for i, q := range qs {
		text, err := q.Template.Render(q.Vars)
		switch {
		case err != nil:
			out[i].Err = err
		case strings.Contains(text, `"v1"`):
			out[i] = a.stable
		case strings.Contains(text, "bad{"):
			out[i] = a.bad
		case strings.Contains(text, "all{"):
			out[i] = a.total
		default:
			out[i] = a.value
		}
		out[i].Expr = text
	}
	return out
}

// vec is an instant vector; its series bear the labels of different pods.
func vec(values ...float64) analysis.Result {
	var r analysis.Result
	for i, v := range values {
		r.Samples = append(r.Samples, analysis.Sample{Labels: map[string]string{"pod": strconv.Itoa(i)}, Value: v})
	}
	return r
}

func fails(why string) analysis.Result { return analysis.Result{Err: errors.New(why)} }

// parseRules reads our side of a case as a policy would be read.
func parseRules(lines string) (rules.Set, diag.Findings) {
	var text strings.Builder
	for i, line := range strings.Split(lines, "\n") {
		fmt.Fprintf(&text, "- {name: rule-%d, %s}\n", i+1, strings.TrimSuffix(strings.TrimSpace(line), ","))
	}
	file, docs := yamldoc.Parse("peer.yaml", []byte(text.String()))
	var set rules.Set
	for _, doc := range docs {
		set = rules.ParseSet(doc, yamldoc.Value{}, nil)
	}
	return set, file.Findings
}

var measuredAt = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// measure asks the Analyst for the rules' judgements, nine minutes into the step at a weight of 5 %.
func measure(t *testing.T, set rules.Set, a answers) []analysis.Judgement {
	t.Helper()
	began := measuredAt.Add(-9 * time.Minute)
	var rs []analysis.Request
	for _, r := range set {
		rs = append(rs, analysis.Request{Rule: r, Since: began, Inside: began,
			Vars: rules.Vars{Version: "v2", StableVersion: "v1", Weight: 5}})
	}
	return analysis.Analyst{Querier: a}.Measure(t.Context(), rs, measuredAt)
}

// fate is what becomes of a release by a verdict, worst last: that is what can be compared between tools.
type fate int

const (
	goesOn fate = iota
	waits
	goesBack // or counts against the release, until there are too many
	refused  // before any release
)

var fates = map[string]fate{
	"Successful": goesOn, "Inconclusive": waits, "Error": waits, "Failed": goesBack, // Argo: the fifth Error in a row is a matter of runs
	"passed check": goesOn, "failed check": goesBack, // Flagger
	"Pass": goesOn, "Nodata": waits, "High": goesBack, "Low": goesBack, "Nodata, fails the metric": goesBack, "score 0": goesBack, // Kayenta
	"met": goesOn, "not met": goesBack, "counts as a failure": goesBack, // PipeCD
}

// ourFate is the worst that our judgements bring, by what their rules say follows from a failure.
func ourFate(set rules.Set, js []analysis.Judgement) fate {
	worst := goesOn
	for i, j := range js {
		f := waits
		switch {
		case j.Verdict == analysis.Healthy, set[i].OnFail == rules.Notify:
			f = goesOn
		case j.Verdict == analysis.Unhealthy && set[i].OnFail == rules.Rollback:
			f = goesBack
		}
		worst = max(worst, f)
	}
	return worst
}

func runPeerCases(t *testing.T, cases []peerCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.from, func(t *testing.T) {
			theirs, known := fates[c.says]
			if !known {
				t.Fatalf("unknown verdict %q", c.says)
			}
			got, ours := "refused", refused
			set, findings := parseRules(c.ours)
			if err := findings.Err(); err == nil {
				js := measure(t, set, c.answers)
				got, ours = analysis.Overall(js).String(), ourFate(set, js)
				t.Logf("%s → %s; ours: %s", c.theirs, c.says, js[0].Reason)
			}
			if got != c.want {
				t.Errorf("%s: our verdict is %s, want %s (%v)", c.theirs, got, c.want, findings.Sorted())
			}
			if (ours != theirs) != (c.differs != "") {
				t.Errorf("%s: theirs is %q, ours %s, and the difference is named %q", c.theirs, c.says, got, c.differs)
			}
		})
	}
}

func TestArgoRolloutsCases(t *testing.T) { runPeerCases(t, argoCases) }
func TestFlaggerCases(t *testing.T)      { runPeerCases(t, flaggerCases) }
func TestKayentaCases(t *testing.T)      { runPeerCases(t, kayentaCases) }
func TestPipeCDCases(t *testing.T)       { runPeerCases(t, pipecdCases) }

// TestTheChapterNamesEachDifferenceOfOneReading keeps chapter and cases together, both ways.
func TestTheChapterNamesEachDifferenceOfOneReading(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range slices.Concat(argoCases, flaggerCases, kayentaCases, pipecdCases) {
		if c.differs != "" {
			seen[c.differs] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(seen)), differencesIn(t, "### One reading")); diff != "" {
		t.Errorf("differences of the cases and of rules/README.md (-cases +chapter):\n%s", diff)
	}
}

var difference = regexp.MustCompile(`(?m)^\* \*\*(.+?)\.\*\*`)

var (
	row  = regexp.MustCompile(`(?m)^\| .* \| (.*) \|$`)
	code = regexp.MustCompile("`([^`]+)`")
	key  = regexp.MustCompile(`^[a-z_]+$|[a-z_]+:`)
)

// TestTheChapterSpeaksOfKeysThereAre looks for each of our keys in the tables of terms elsewhere in the chapters.
func TestTheChapterSpeaksOfKeysThereAre(t *testing.T) {
	read := func(page string) string {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	own, terms, found := strings.Cut(read("../rules/README.md"), "\n## Coming from Argo Rollouts, Flagger or Kayenta\n")
	if !found {
		t.Fatal("rules/README.md has no part on coming from other tools")
	}
	known := own + read("README.md") + read("../steps/README.md") + read("../deployments/README.md")
	for _, cells := range row.FindAllStringSubmatch(terms, -1) {
		for _, span := range code.FindAllStringSubmatch(cells[1], -1) {
			for _, k := range key.FindAllString(span[1], -1) {
				if name := strings.TrimSuffix(k, ":"); !strings.Contains(known, name+":") && !strings.Contains(known, "`"+name+"`") {
					t.Errorf("%s: no other part of the chapters knows %q", cells[0], name)
				}
			}
		}
	}
}

// differencesIn lists what a part of the chapter on coming from other tools names.
func differencesIn(t *testing.T, heading string) []string {
	t.Helper()
	page, err := os.ReadFile("../rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(page), "\n"+heading+"\n")
	if !found {
		t.Fatalf("rules/README.md has no part %q", heading)
	}
	part, _, _ = strings.Cut(part, "\n#")
	var names []string
	for _, m := range difference.FindAllStringSubmatch(part, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}
