package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
)

// mostAnnotations is how many of a kind GitHub shows of one step of a job.
const mostAnnotations = 10

// mostSummary is how large a step's summary may be, in bytes: GitHub drops one that is larger.
const mostSummary = 1024 << 10

// github tells of a wait in workflow commands of GitHub Actions.
type github struct {
	open   bool // a group
	warned int
}

// tell shows an event: a group for each step and for the way back, and a warning for what a person should look at. How it
// ended is told once, at the end.
func (g *github) tell(out io.Writer, e deployments.Event, line string) {
	switch e.Name {
	case "step.started":
		g.group(out, stageName(e.Data))
	case "rollout.failed", "rollout.aborted":
		g.group(out, "way back")
	}
	fmt.Fprintf(out, "%s  %s\n", e.Time.UTC().Format(time.TimeOnly), inert(line))
	ends := slices.Contains([]string{"rollout.failed", "rollout.aborted", "rollout.not_ready", "release.rejected"}, e.Name)
	if e.Severity != deployments.Info && e.Severity != "" && !ends && g.warned < mostAnnotations {
		g.warned++
		annotate(out, "warning", strings.ReplaceAll(e.Name, ".", " "), line)
	}
}

func (g *github) group(out io.Writer, name string) {
	g.close(out)
	g.open = true
	fmt.Fprintf(out, "::group::%s\n", commandData(name))
}

func (g *github) close(out io.Writer) {
	if g.open {
		fmt.Fprintln(out, "::endgroup::")
	}
	g.open = false
}

// end annotates how it ended: with an error a failed rule, or else with one.
func (g *github) end(out io.Writer, r waitReport) {
	g.close(out)
	kind, why := "error", r.Reason
	switch r.Exit {
	case exitOK:
		kind = "notice"
	case exitPaused, exitSuperseded:
		kind = "warning"
	}
	if len(r.failed) == 0 {
		if why == "" {
			why = r.verdict()
		}
		annotate(out, kind, r.headline(), why)
		return
	}
	for _, j := range r.failed[:min(len(r.failed), mostAnnotations)] {
		annotate(out, kind, r.headline(), ruleSaid(j)+" ("+facts(j)+")")
	}
}

func annotate(out io.Writer, kind, title, text string) {
	fmt.Fprintf(out, "::%s title=%s::%s\n", kind, commandProperty(ciValue(title)), commandData(cutAt(text, 2000)))
}

// writeOutputs gives later steps of the job the facts. Values are on one line, so none can begin another output.
func writeOutputs(env Env, r waitReport) error {
	path := env.Getenv("GITHUB_OUTPUT")
	if path == "" {
		return nil
	}
	var b strings.Builder
	for _, o := range r.outputs() {
		fmt.Fprintf(&b, "%s=%s\n", o[0], ciValue(o[1]))
	}
	return appendTo(path, b.String())
}

// writeSummary adds a page to the job's summary, unless that would be larger than GitHub takes.
func writeSummary(env Env, r waitReport) error {
	path := env.Getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	text := githubSummary(r)
	if info, err := os.Stat(path); err == nil && info.Size()+int64(len(text)) > mostSummary {
		return fmt.Errorf("the summary in %s has %d bytes already: there is no room for %d more", path, info.Size(), len(text))
	}
	return appendTo(path, text)
}

// githubSummary is a page in Markdown: the verdict, the steps and the rules.
func githubSummary(r waitReport) string {
	mark := "❌"
	switch r.Exit {
	case exitOK:
		mark = "✅"
	case exitPaused, exitSuperseded, exitTimeout:
		mark = "⚠️"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s\n\n| | |\n|---|---|\n", mark, tableCell(r.headline()))
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", name, text)
		}
	}
	row("reason", tableCell(r.Reason))
	row("traffic", digits(r.Percent)+" % when it was decided")
	row("took", time.Duration(r.Seconds*float64(time.Second)).Round(time.Second).String())
	row("rollout", tableCell(r.Rollout))
	row("release", tableCell(r.Release))
	summaryStages(&b, r)
	summaryRules(&b, r)
	if r.url != "" {
		fmt.Fprintf(&b, "\n[The failed rule's query in Prometheus](<%s>)\n", strings.NewReplacer("<", "%3C", ">", "%3E").Replace(clean(r.url)))
	}
	if r.Rollout != "" {
		fmt.Fprintf(&b, "\n<sub>The whole story: serin explain %s --env %s</sub>\n", tableCell(r.Rollout), tableCell(r.Environment))
	}
	return b.String()
}

// mostRows is how many rows a table has at most.
const mostRows = 100

func summaryStages(b *strings.Builder, r waitReport) {
	if len(r.stages) == 0 {
		return
	}
	b.WriteString("\n| step | | took |\n|---|---|---|\n")
	for _, g := range r.stages[:min(len(r.stages), mostRows)] {
		mark, took := "not passed", ""
		if g.passed {
			mark = "passed"
		}
		if !g.ended.IsZero() {
			took = g.ended.Sub(g.began).Round(time.Second).String()
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", tableCell(g.name), mark, took)
	}
}

func summaryRules(b *strings.Builder, r waitReport) {
	if len(r.rules) == 0 {
		return
	}
	all := slices.Clone(r.rules)
	slices.SortStableFunc(all, func(x, y ruleStory) int { return r.rank(x.last.Rule) - r.rank(y.last.Rule) })
	b.WriteString("\n| rule | verdict | value | limit | stable | so far |\n|---|---|---|---|---|---|\n")
	for _, s := range all[:min(len(all), mostRows)] {
		j := s.last
		if i := r.rank(j.Rule); i < len(r.failed) {
			j = r.failed[i] // what was decided on; recovering, it is healthy again
		}
		limit := strings.ReplaceAll(j.Reading.LimitKind, "_", " ") + " " + figureOf(j.Reading.Limit, j.Reading)
		if j.Reading.Limit == nil {
			limit = ""
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", tableCell(j.Rule), j.Verdict, figureOf(j.Reading.Value, j.Reading), tableCell(limit),
			figureOf(j.Reading.Stable, j.Reading), trend(s.values))
	}
}

// rank puts the rules that failed before the others.
func (r waitReport) rank(rule string) int {
	for i, j := range r.failed {
		if j.Rule == rule {
			return i
		}
	}
	return len(r.failed)
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
