package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// summaryColumns of the summary's table.
var summaryColumns = []string{"release", "outcome", "confirmed %", "failed rule", "value", "limit", "samples", "flag", "decision → off", "fault → off"}

// summary is the end of the demonstration, in lines.
func summary(r demoResult) []string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(summaryColumns, "\t")+"\t")
	for _, rel := range r.Releases {
		fmt.Fprintln(w, strings.Join(cells(rel), "\t")+"\t")
	}
	_ = w.Flush() // writes to memory
	lines := []string{""}
	for l := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(l, " \n"))
	}
	lines = append(lines, "")
	for _, rel := range r.Releases {
		if f := rel.demoFailure; f != nil {
			lines = append(lines, told(rel, *f)...)
		}
	}
	if r.OK {
		lines = append(lines, fmt.Sprintf("As expected with --fault %s, in %.0f s.", r.Fault, r.Seconds))
	} else {
		lines = append(lines, "NOT as expected with --fault "+r.Fault+": "+clean(r.Why))
	}
	if r.Keep != nil {
		lines = append(lines, "")
		lines = append(lines, keptLines(r)...)
	}
	return lines
}

func cells(r demoRelease) []string {
	var weights []string
	for _, w := range r.Weights {
		weights = append(weights, strconv.FormatFloat(w, 'f', -1, 64))
	}
	outcome := r.Outcome
	if r.Cause != "" {
		outcome += " (" + strings.ReplaceAll(r.Cause, "_", " ") + ")"
	}
	out := []string{r.Version, outcome, strings.Join(weights, " → ")}
	f := r.demoFailure
	if f == nil {
		return append(out, make([]string, len(summaryColumns)-len(out))...)
	}
	flag, off := "NOT confirmed", []string{"–", "–"}
	if f.FlagConfirmed {
		flag = "confirmed off"
	}
	if !f.Off.IsZero() {
		off = []string{span10(f.DecisionToOff), span10(f.FaultToOff)}
	}
	ratio := f.Samples != nil
	return append(append(out, clean(f.FailedRule), figure(f.Value, ratio), figure(f.Limit, ratio), whole(f.Samples), flag), off...)
}

// figure is a number of a table; – is none.
func figure(n *analysis.Number, ratio bool) string {
	if n == nil {
		return "–"
	}
	return numeral(float64(*n), ratio)
}

// whole is a count: increase() interpolates, and so counts have fractions.
func whole(n *analysis.Number) string {
	if n == nil {
		return "–"
	}
	return strconv.FormatFloat(math.Floor(float64(*n)), 'f', 0, 64)
}

// span10 is milliseconds for people: 21 ms, 3.2 s.
func span10(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", time.Duration(ms*int64(time.Millisecond)).Seconds())
}

// told are the facts beside the table.
func told(r demoRelease, f demoFailure) []string {
	yes := map[bool]string{true: "yes", false: "NO"}
	return []string{
		fmt.Sprintf("%s: %s", r.Version, clean(f.Reason)),
		fmt.Sprintf("       requests to it after the switch: %d; rollback event on the stream: %s; alert in Slack: %s", f.CanaryAfterOff, yes[f.RollbackEvent], yes[f.SlackAlert]),
	}
}

// keptLines say how to look at what goes on.
func keptLines(r demoResult) []string {
	k := r.Keep
	lines := []string{
		"Everything goes on until you press Ctrl-C:",
		"  NATS        " + k.NATS + "   (token in " + k.TokenFile + ")",
		"  Prometheus  " + k.Prometheus + "/api/v1/query",
		"  metrics     " + k.Metrics + "   (of Serin)",
	}
	for _, m := range k.Service {
		lines = append(lines, "              "+m+"   (of the service)")
	}
	lines = append(lines, "  data        "+k.Data+"   (stays; serin status --data "+k.Data+")")
	for _, rel := range r.Releases {
		if f := rel.demoFailure; f != nil && len(f.Queries) > 0 {
			lines = append(lines, "", "What the rollback of "+rel.Version+" rests on, asked again:")
			for _, q := range f.Queries {
				lines = append(lines, "  "+curl(k.Prometheus, q, f.At))
			}
		}
	}
	return lines
}

// curl is the command that asks a query at an instant.
func curl(prometheus, query string, at time.Time) string {
	query = strings.ReplaceAll(query, "\n", " ")
	return fmt.Sprintf("curl -sG %s/api/v1/query --data-urlencode %s --data-urlencode time=%s", prometheus, shellQuoted("query="+clean(query)), at.UTC().Format(time.RFC3339Nano))
}

// shellQuoted is a text as one word of a POSIX shell.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
