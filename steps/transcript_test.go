package steps_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

var epoch = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// plan is the default plan of the tests: one rule, errors, that must fail for a minute.
func plan() steps.Plan {
	return steps.Plan{
		Mover: steps.Mover{Kind: steps.VersionFlag, Key: "checkout-version"},
		Steps: []steps.Step{{Share: 500, Bake: 5 * time.Minute}, {Share: 2500, Bake: 10 * time.Minute},
			{Share: 5000, Bake: 10 * time.Minute}, {Share: 10000, Bake: 30 * time.Minute}},
		Rules: []rules.Tolerance{{Rule: "errors", For: time.Minute, OnFail: rules.Rollback,
			AlertAfter: 10 * time.Minute, OutageAlertAfter: 5 * time.Minute}},
		Failure:       steps.Failure{Do: []steps.Action{{Kind: steps.RollbackAction}}},
		ConfirmWithin: 2 * time.Minute, Recovery: 5 * time.Minute,
	}
}

// TestTranscripts replays the stories in testdata. A line that begins with > is an input: the minutes since the start,
// then what happened; the lines below it that begin with < are what Next made of it. `make golden` rewrites them.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("transcript differs (-want +got):\n%s", diff)
			}
		})
	}
}

func replay(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	p := plan()
	var r steps.Rollout
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		line := sc.Text()
		switch {
		case strings.HasPrefix(line, "<"):
		case strings.HasPrefix(line, "plan "):
			fmt.Fprintln(&out, line)
			adjust(t, &p, strings.Fields(line)[1:])
		case strings.HasPrefix(line, "> "):
			fmt.Fprintln(&out, line)
			if r.ID == "" {
				var err error
				if r, err = steps.NewRollout("r1", "production", "checkout", "1.1.0", "1.0.0", p, epoch); err != nil {
					t.Fatal(err)
				}
			}
			r = step(t, &out, r, strings.Fields(line)[1:])
		default:
			fmt.Fprintln(&out, line)
		}
	}
	return out.String()
}

func step(t *testing.T, out *strings.Builder, r steps.Rollout, words []string) steps.Rollout {
	t.Helper()
	after, err := time.ParseDuration(words[0])
	if err != nil {
		t.Fatal(err)
	}
	now := epoch.Add(after)
	n, effects := r.Next(now, input(t, now, r, words[1:]))
	if len(effects) == 0 {
		fmt.Fprintln(out, "<")
		return n
	}
	for _, e := range effects {
		fmt.Fprintln(out, "<", show(n, e))
	}
	return n
}

func show(r steps.Rollout, e steps.Effect) string {
	switch e := e.(type) {
	case steps.Probe:
		return "probe"
	case steps.Expose:
		s := fmt.Sprintf("expose %s %v seq %d", e.Target, steps.Shown(e.Exposure.Share, e.Exposure.Audience), e.Seq)
		if e.Exposure.Kill {
			s += " kill"
		}
		return s
	case steps.Measure:
		s := fmt.Sprintf("measure %s since %v inside %v", strings.Join(e.Rules, ","), e.Since.Sub(epoch), e.Inside.Sub(epoch))
		if e.Stable {
			s += " of stable"
		}
		return s
	case steps.Announce:
		return fmt.Sprintf("%s: %s", e.Phase, e.Reason)
	}
	return fmt.Sprint(e)
}

// input reads for example: tick | applied 5 | applied error refused | flag x off | read errors unhealthy 18 % > 5 % | abort
func input(t *testing.T, now time.Time, r steps.Rollout, words []string) steps.Input {
	t.Helper()
	switch words[0] {
	case "tick":
		return steps.Tick{}
	case "applied", "flag", "ready":
		a := steps.Applied{Seq: r.Seq, Target: steps.Traffic, Confirmed: true, How: "test"}
		if words[0] == "flag" {
			a.Target, words = steps.FlagTarget(words[1]), []string{"", "0"}
		}
		if words[0] == "ready" {
			if a.Target = steps.Ready; len(words) == 1 {
				words = []string{"", "0"}
			}
		}
		if words[1] == "error" {
			a.Confirmed, a.Err = false, strings.Join(words[2:], " ")
			return a
		}
		if words[1] == "old" {
			a.Seq--
			words = words[1:]
		}
		percent, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		a.Observed = steps.Share(percent * 100)
		return a
	case "read":
		return reading(t, now, r, words[1:])
	case "superseded":
		return steps.Superseded{By: words[1]}
	}
	c := steps.Command{Verb: steps.Verb(words[0]), By: "ada", Reason: strings.Join(words[1:], " ")}
	c.Full = len(words) > 1 && words[1] == "full"
	return c
}

func reading(t *testing.T, now time.Time, r steps.Rollout, words []string) steps.Input {
	t.Helper()
	m := steps.Measured{At: now, Seq: r.Seq}
	for _, part := range strings.Split(strings.Join(words, " "), " and ") {
		w := strings.Fields(part)
		if w[0] == "share" {
			percent, err := strconv.ParseFloat(w[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			s := steps.Share(percent * 100)
			m.Share = &s
			continue
		}
		j := analysis.Judgement{Rule: w[0], Reason: strings.Join(w[2:], " "), Reading: analysis.Reading{At: now}}
		switch w[1] {
		case "lost":
			j.Lost, j.Verdict = true, analysis.Unhealthy
		case "critical":
			j.Critical, j.Verdict, j.Data = true, analysis.Unhealthy, true
		case "nodata":
		default:
			if err := j.Verdict.UnmarshalText([]byte(w[1])); err != nil {
				t.Fatal(err)
			}
			j.Data = j.Verdict != analysis.Outage
		}
		m.Verdicts = append(m.Verdicts, j)
	}
	return m
}

// adjust changes the plan: do=rollback,flag:x else=rollback rules=errors,latency approval=2 tolerance=5 stable=none …
func adjust(t *testing.T, p *steps.Plan, words []string) {
	t.Helper()
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "do":
			p.Failure.Do = actions(value)
		case "else":
			p.Failure.Else = actions(value)
		case "rules":
			base := p.Rules[0]
			p.Rules = nil
			for _, name := range strings.Split(value, ",") {
				name, response, ok := strings.Cut(name, ":")
				base.Rule, base.OnFail = name, rules.Rollback
				if ok {
					base.OnFail = rules.Response(response)
				}
				p.Rules = append(p.Rules, base)
			}
		case "approval":
			n, _ := strconv.Atoi(value)
			p.Steps = slices.Clone(p.Steps)
			p.Steps[n-1].Approval = true
		case "testers": // before the first share, for 30 minutes
			p.Steps = append([]steps.Step{{Audience: steps.Audience{{"email": {value}}}, Bake: 30 * time.Minute}}, p.Steps...)
		case "region": // from the step of 25 % on
			p.Steps = slices.Clone(p.Steps)
			p.Steps[len(p.Steps)-3].Audience = steps.Audience{{"region": strings.Split(value, ",")}}
		case "tolerance":
			n, _ := strconv.Atoi(value)
			p.Tolerance = steps.Percent(n)
		case "row":
			p.Rules[0].InARow, _ = strconv.Atoi(value)
			p.Rules[0].For = 0
		case "step":
			p.Rules[0].InAStep, _ = strconv.Atoi(value)
		case "ready":
			p.ReadyWithin, _ = time.ParseDuration(value)
		case "advance": // opens at that minute of every hour, for 20 minutes
			p.Advance = &steps.Window{Open: value + " * * * *", For: 20 * time.Minute}
		case "on_error":
			p.Rules[0].OnError = rules.Response(value)
		case "fail_after":
			d, _ := time.ParseDuration(value)
			p.Rules[0].FailAfter = d
		default:
			t.Fatalf("unknown word %q", w)
		}
	}
}

func actions(list string) []steps.Action {
	var out []steps.Action
	for _, a := range strings.Split(list, ",") {
		kind, key, _ := strings.Cut(a, ":")
		out = append(out, steps.Action{Kind: steps.ActionKind(kind), Key: key})
	}
	return out
}
