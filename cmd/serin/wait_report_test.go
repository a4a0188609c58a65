package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// toldOf is a rollout that was taken back at its second step. text is in every string that comes from elsewhere.
func toldOf(text string, rules int) []deployments.Event {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	judged := func(v analysis.Verdict, value float64) (out []analysis.Judgement) {
		at = at.Add(time.Minute)
		for i := range rules {
			n, limit, total := analysis.Number(value), analysis.Number(0.05), analysis.Number(1000)
			out = append(out, analysis.Judgement{Rule: fmt.Sprint("error-rate", i, text), Verdict: v, Reason: "18 % > 5 %" + text,
				Reading: analysis.Reading{At: at, BadQuery: "bad" + text, TotalQuery: "total", Value: &n, Limit: &limit, LimitKind: "max", Total: &total, Error: text}})
		}
		return out
	}
	var all []deployments.Event
	say := func(name string, s deployments.Severity, d deployments.EventData) {
		d.Rollout, d.Rev, d.Service, d.Environment, d.Version, d.Release = "r1"+text, uint64(len(all)+1), "checkout", "production", "1.1.0"+text, "id"+text
		all = append(all, deployments.Event{ID: strconv.Itoa(len(all)), Name: name, Time: at, Severity: s, Data: d})
	}
	say("release.accepted", deployments.Info, deployments.EventData{Reason: text})
	say("step.started", deployments.Info, deployments.EventData{Step: 1, Percent: 5, Phase: steps.Shifting})
	say("step.passed", deployments.Info, deployments.EventData{Step: 1, Percent: 5, Evidence: judged(analysis.Healthy, 0.01)})
	say("step.started", deployments.Info, deployments.EventData{Step: 2, Percent: 25, Phase: steps.Shifting})
	say("analysis.inconclusive", deployments.Warning, deployments.EventData{Step: 2, Percent: 25, Reason: text})
	say("rollout.failed", deployments.Warning, deployments.EventData{Step: 2, Percent: 25, FromPercent: 25, Reason: "error-rate" + text, Evidence: judged(analysis.Unhealthy, 0.18), Phase: steps.Reverting, Cause: steps.ByRules})
	say("rollout.restored", deployments.Info, deployments.EventData{Step: 2, FromPercent: 25, Phase: steps.Ended, Outcome: steps.Restored, Cause: steps.ByRules, Evidence: judged(analysis.Healthy, 0)})
	return all
}

// reported is what a wait for such a rollout leaves.
func reported(t testing.TB, output, text string, rules int) (stdout, outputs, summary, junit, dotenv string) {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	out := &strings.Builder{}
	env := Env{Stdout: out, Stderr: out, Now: time.Now, Dir: dir, Getenv: func(name string) string {
		return map[string]string{"GITHUB_OUTPUT": path("outputs"), "GITHUB_STEP_SUMMARY": path("summary")}[name]
	}}
	w := &waiter{env: env, flags: waitFlags{output: output, junit: "junit.xml", dotenv: "env"}, begin: time.Now(),
		rel: deployments.Release{Slot: deployments.Slot{Environment: "production", Service: "checkout"}, Version: "1.1.0" + text, ID: "id" + text}}
	var end *result
	for _, e := range toldOf(text, rules) {
		end = w.hear(e)
	}
	if end == nil {
		t.Fatal("it has not ended")
	}
	if code := exitCode(w.finish(*end)); code != exitRolledBack {
		t.Fatalf("exit status %d: %s", code, out)
	}
	read := func(name string) string {
		text, err := os.ReadFile(path(name))
		if err != nil && output == "github" {
			t.Fatal(err)
		}
		return string(text)
	}
	return out.String(), read("outputs"), read("summary"), read("junit.xml"), read("env")
}

func TestAGitHubStepHasGroupsAnnotationsOutputsAndASummary(t *testing.T) {
	stdout, outputs, summary, _, dotenv := reported(t, "github", "", 12)
	for _, want := range []string{"::group::step 1: 5 %25\n", "::endgroup::\n::group::step 2: 25 %25\n", "::group::way back\n", "::warning title=analysis inconclusive::"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in %s", want, stdout)
		}
	}
	if n := strings.Count(stdout, "::error title=checkout 1.1.0 in production%3A rolled back::error-rate"); n != 10 {
		t.Errorf("%d errors for 12 rules: %s", n, stdout)
	}
	if strings.Count(stdout, "::group::") != strings.Count(stdout, "::endgroup::") {
		t.Errorf("a group stays open: %s", stdout)
	}
	want := "outcome=restored\nrelease-id=id\nrollout=r1\nstep=2\npercent=25\nfailed-rule=error-rate0\nexit=3\nurl=\n"
	if outputs != want {
		t.Errorf("outputs %q, want %q", outputs, want)
	}
	for _, want := range []string{"### ❌ checkout 1.1.0 in production: rolled back\n", "| step 1: 5 % | passed | 1m0s |", "| error-rate0 | unhealthy | 18 % | max 5 % |  | ▁█", "serin explain r1 --env production"} {
		if !strings.Contains(summary, want) {
			t.Errorf("no %q in %s", want, summary)
		}
	}
	if want = "SERIN_OUTCOME=restored\nSERIN_RELEASE_ID=id\nSERIN_ROLLOUT=r1\nSERIN_STEP=2\nSERIN_PERCENT=25\nSERIN_FAILED_RULE=error-rate0\nSERIN_EXIT=3\n"; dotenv != want {
		t.Errorf("variables %q, want %q", dotenv, want)
	}
}

func TestAJUnitReportHasATestAStepPassedAndATestARuleFailed(t *testing.T) {
	stdout, _, _, file, _ := reported(t, "junit", "", 2)
	if stdout != file {
		t.Errorf("stdout has another report than the file: %s\n%s", stdout, file)
	}
	var s junitSuite
	if err := xml.Unmarshal([]byte(file), &s); err != nil {
		t.Fatal(err)
	}
	if s.Tests != 3 || s.Failures != 2 || s.Cases[0].Name != "step 1: 5 %" || s.Cases[0].Seconds != "60.000" || s.Cases[1].Failure.Message != "error-rate0: 18 % > 5 %" {
		t.Errorf("%s", file)
	}
}

func TestARolloutWithoutAFailedRuleIsReportedByItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		result
		annotation string
		failures   int
	}{
		"promoted":  {result{Outcome: "promoted"}, "::notice title=cart 2.0.0 in production%3A promoted::promoted\n", 0},
		"published": {result{Outcome: "published"}, "::notice title=cart 2.0.0 in production%3A published::published\n", 0},
		"aborted":   {result{Outcome: "restored", Reason: "wrong build", Exit: exitAborted}, "::error title=cart 2.0.0 in production%3A aborted::wrong build\n", 1},
		"paused":    {result{Outcome: "waiting", Reason: "for approval", Exit: exitPaused}, "::warning title=cart 2.0.0 in production%3A waits for a person::for approval\n", 1},
		"timed out": {result{Outcome: "timed out", Reason: "it goes on", Exit: exitTimeout}, "::error title=cart 2.0.0 in production%3A timed out::it goes on\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c.Service, c.Version, c.Environment = "cart", "2.0.0", "production"
			out := &strings.Builder{}
			new(github).end(out, waitReport{result: c.result})
			if out.String() != c.annotation {
				t.Errorf("annotated %q, want %q", out, c.annotation)
			}
			if s := junit(waitReport{result: c.result}); s.Tests != 1 || s.Failures != c.failures {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAReportLeadsToTheQueryOfTheRuleThatFailed(t *testing.T) {
	roll := &steps.Rollout{ID: "r1"}
	w := &waiter{rollout: "r1", last: func() (deployments.Entry, error) {
		return deployments.Entry{State: deployments.State{Rollout: roll, Source: "http://prometheus.example"}}, nil
	}}
	if url := w.failedURL(); url != "" {
		t.Errorf("no rule failed: %s", url)
	}
	for _, e := range toldOf("", 1) {
		w.story.take(e)
	}
	url := w.failedURL()
	if !strings.HasPrefix(url, "http://prometheus.example/graph?g0.expr=bad&") {
		t.Errorf("it leads to %s", url)
	}
	out := &strings.Builder{}
	if err := writeDotenv(out, waitReport{url: url}); err != nil || !strings.Contains(out.String(), "SERIN_URL=http://prometheus.example/graph?g0.expr=bad\n") {
		t.Errorf("%v: %s", err, out)
	}
	if roll.ID = "r2"; w.failedURL() != "" {
		t.Error("it leads to the source of another rollout")
	}
}

func TestAReportThatCannotBeWrittenFailsAWaitThatEndsWell(t *testing.T) {
	said := &strings.Builder{}
	w := &waiter{env: Env{Stdout: io.Discard, Stderr: said, Now: time.Now, Dir: t.TempDir()}, flags: waitFlags{output: "text", junit: "no/such/folder.xml"}}
	if code := exitCode(w.finish(result{Outcome: "promoted"})); code != exitNo || !strings.Contains(said.String(), "write the report") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if code := exitCode(w.finish(result{Outcome: "restored", Exit: exitRolledBack})); code != exitRolledBack {
		t.Errorf("exit status %d", code)
	}
}

func TestASummaryIsLeftOutWhereGitHubWouldDropAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	if err := os.WriteFile(path, make([]byte, mostSummary-10), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeSummary(Env{Getenv: func(string) string { return path }}, waitReport{}); err == nil {
		t.Error("it is larger than GitHub takes")
	}
}

// command is what the GitHub runner takes for a command: at the beginning of a line, or of the older kind anywhere.
var command = regexp.MustCompile(`^\s*::|##\[`)

// ours are the commands that a wait prints.
var ours = regexp.MustCompile(`^::(group::|endgroup::$|(error|warning|notice) title=[^,:\r\n]*::)[^\r\n]*$`)

func FuzzNothingInAnEventIsTakenForACommandOrBreaksAReport(f *testing.F) {
	for _, text := range []string{"", "\n::error::x", "\r\n::set-output name=x::y", "##[error]x", "###[[x", ":: stop", "%0A::x", ",file=x:", "\x00\x1b[2J", "]]>&<\"'", "| a `b` <script>",
		"\nEOF\noutcome=promoted", "$(touch x)`y`;&|", "\u2028::x", "\xff\xfe", "x=$y\nSERIN_EXIT=0", "\ufeff::error::", strings.Repeat("ä", 5000)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stdout, outputs, summary, file, dotenv := reported(t, "github", text, 3)
		for _, line := range strings.FieldsFunc(stdout, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if command.MatchString(line) && !ours.MatchString(line) {
				t.Errorf("a command of somebody else's: %q", line)
			}
		}
		if lines := strings.Split(strings.TrimSuffix(outputs, "\n"), "\n"); len(lines) != 8 || strings.Contains(outputs, "\r") || !strings.HasPrefix(lines[6], "exit=3") {
			t.Errorf("outputs %q", outputs)
		}
		if len(summary) > mostSummary || regexp.MustCompile(`(^|[^\\])<script`).MatchString(summary) || !utf8.ValidString(summary) {
			t.Errorf("summary %q", summary)
		}
		for _, line := range strings.Split(summary, "\n") {
			if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") > 7 {
				t.Errorf("a row with cells of somebody else's: %q", line)
			}
		}
		var s junitSuite
		if err := xml.Unmarshal([]byte(file), &s); err != nil || s.Tests != 4 || len(s.Cases) != 4 {
			t.Errorf("%v: %q", err, file)
		}
		for _, line := range strings.Split(strings.TrimSuffix(dotenv, "\n"), "\n") {
			if !regexp.MustCompile(`^SERIN_[A-Z_]+=[A-Za-z0-9_./:@%+,=?-]+$`).MatchString(line) {
				t.Errorf("variable %q", line)
			}
		}
	})
}
