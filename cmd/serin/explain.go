package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
)

type explainFlags struct {
	natsFlags
	environment, output, prometheus string
}

func newExplain(env Env) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain ROLLOUT",
		Short: "Say why a rollout was decided as it was",
		Long: "Explain tells the story of a rollout from its journal: each decision with the readings it rests on, their queries as they were\n" +
			"sent, values, limits, what stable had, and when; what was done, and whether it was confirmed. The ids of a service's\n" +
			"rollouts are in `serin history SERVICE -o json`.",
		Example: "  serin explain checkout-1.4.2-0a1b2c3d\n  serin explain checkout-1.4.2-0a1b2c3d -o markdown",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.known(); err != nil {
				return err
			}
			r, err := f.dial(cmd.Context(), env)
			if err != nil {
				return err
			}
			defer r.close()
			_, entries, err := r.rollout(cmd.Context(), f.environment, args[0])
			if err != nil {
				return err
			}
			x := deployments.Explain(entries)
			x.Source = cmp.Or(f.prometheus, x.Source)
			switch f.output {
			case "json":
				return printJSON(env.Stdout, x)
			case "markdown":
				return explainMarkdown(env.Stdout, x)
			}
			return explainText(env.Stdout, x)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.environment, "env", deployments.DefaultEnvironment, "environment")
	cmd.Flags().StringVar(&f.prometheus, "prometheus", "", "where links lead (default: the policy's own Prometheus)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or markdown")
	return cmd
}

// known refuses an output that it does not know.
func (f *explainFlags) known() error {
	switch f.output {
	case "markdown":
	case "md": // what report calls it
		f.output = "markdown"
	default:
		if textOrJSON(f.output) != nil {
			return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, json, markdown", f.output)}
		}
	}
	return nil
}

// headline is the end of the rollout in one sentence.
func headline(x deployments.Explanation) string {
	s := fmt.Sprintf("%s %s in %s: %s", x.Service, x.Version, x.Environment, cmp.Or(strings.ReplaceAll(string(x.Outcome), "_", " "), string(x.Phase)))
	if x.Cause != "" {
		s += " (" + strings.ReplaceAll(string(x.Cause), "_", " ") + ")"
	}
	if x.Reason != "" {
		s += ": " + x.Reason
	}
	return clean(s)
}

// asked are the queries of a reading, each with what it is.
func asked(r analysis.Reading) [][2]string {
	var out [][2]string
	for _, q := range [][2]string{{"query", r.Query}, {"bad", r.BadQuery}, {"total", r.TotalQuery}} {
		if q[1] != "" {
			out = append(out, q)
		}
	}
	return out
}

// facts are a reading's numbers beside its reason.
func facts(j analysis.Judgement) string {
	var out []string
	if v := j.Reading.Value; v != nil {
		out = append(out, fmt.Sprintf("value %.6g", float64(*v)))
	}
	if l := j.Reading.Limit; l != nil {
		out = append(out, fmt.Sprintf("%s %.6g", strings.ReplaceAll(j.Reading.LimitKind, "_", " "), float64(*l)))
	}
	if len(j.Reading.Labels) > 0 {
		out = append(out, labelSet(j.Reading.Labels).String())
	}
	out = append(out, "window "+j.Reading.Window.String(), "at "+j.Reading.At.UTC().Format(time.DateTime)+" UTC")
	if s := j.Reading.Stable; s != nil {
		out = append(out, fmt.Sprintf("stable had %.4g", float64(*s)))
	}
	if s := j.Reading.Samples; s != nil {
		out = append(out, fmt.Sprintf("%.0f samples", float64(*s)))
	}
	for _, name := range slices.Sorted(maps.Keys(j.Annotations)) {
		out = append(out, name+": "+j.Annotations[name])
	}
	return clean(strings.Join(out, ", "))
}

func labelSet(labels map[string]string) model.LabelSet {
	out := model.LabelSet{}
	for name, value := range labels {
		out[model.LabelName(name)] = model.LabelValue(value)
	}
	return out
}

// link leads to a query at its instant, in Prometheus' own page; "" where nobody knows which Prometheus it was.
func link(source, query string, at time.Time) string {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User = nil
	u = u.JoinPath("graph")
	u.RawQuery = url.Values{"g0.expr": {query}, "g0.tab": {"1"}, "g0.moment_input": {at.UTC().Format(time.DateTime)}}.Encode()
	return u.String()
}

func explainText(w io.Writer, x deployments.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  rollout %s, stable %s\n", headline(x), x.Rollout, clean(orDash(x.Stable)))
	for _, text := range harm(x.Figures) {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	for _, m := range x.Moments {
		fmt.Fprintf(&b, "\n%s  %s%s\n", m.At.UTC().Format(time.DateTime), clean(m.Note), by(m))
		for _, j := range m.Evidence {
			fmt.Fprintf(&b, "  %-12s %s: %s\n  %-12s %s\n", j.Verdict, clean(j.Rule), clean(j.Reason), "", facts(j))
			for _, q := range asked(j.Reading) {
				fmt.Fprintf(&b, "  %-12s %s: %s\n", "", q[0], strings.Join(strings.Fields(clean(strings.ReplaceAll(q[1], "\n", " "))), " "))
				if at := link(x.Source, q[1], j.Reading.At); at != "" && m.Decides {
					fmt.Fprintf(&b, "  %-12s %s\n", "", at)
				}
			}
		}
	}
	for _, a := range x.Actions {
		fmt.Fprintf(&b, "\n%s %s: %s\n", a.Kind, clean(a.Key), done(a.Confirmed, a.How))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func by(m deployments.Moment) string {
	s := ""
	if m.By != "" {
		s = ", by " + clean(m.By)
	}
	if m.Reason != "" {
		s += ": " + clean(m.Reason)
	}
	return s
}

func done(at time.Time, how string) string {
	if at.IsZero() {
		return "NOT confirmed"
	}
	return strings.TrimSpace("confirmed at " + at.UTC().Format(time.TimeOnly) + " UTC, " + clean(how))
}

func explainMarkdown(w io.Writer, x deployments.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\nRollout `%s`, stable %s.\n", markdown(headline(x)), x.Rollout, markdown(orDash(x.Stable)))
	for _, text := range harm(x.Figures) {
		fmt.Fprintf(&b, "\n* %s", markdown(text))
	}
	if len(harm(x.Figures)) > 0 {
		b.WriteByte('\n')
	}
	for _, m := range x.Moments {
		fmt.Fprintf(&b, "\n**%s** %s%s\n", m.At.UTC().Format(time.DateTime), markdown(m.Note), markdown(by(m)))
		if len(m.Evidence) > 0 {
			b.WriteString("\n| rule | verdict | reading | |\n|---|---|---|---|\n")
		}
		for _, j := range m.Evidence {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", markdown(j.Rule), j.Verdict, markdown(j.Reason), markdown(facts(j)))
		}
		if m.Decides {
			explainQueries(&b, x.Source, m.Evidence)
		}
	}
	for _, a := range x.Actions {
		fmt.Fprintf(&b, "\n* %s %s: %s\n", a.Kind, markdown(a.Key), markdown(done(a.Confirmed, a.How)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func explainQueries(b *strings.Builder, source string, js []analysis.Judgement) {
	for _, j := range js {
		for _, q := range asked(j.Reading) {
			fence := "```"
			for strings.Contains(q[1], fence) {
				fence += "`"
			}
			fmt.Fprintf(b, "\n%s of %s", q[0], markdown(j.Rule))
			if at := link(source, q[1], j.Reading.At); at != "" {
				fmt.Fprintf(b, " ([ask again](%s))", at)
			}
			fmt.Fprintf(b, ":\n\n%spromql\n%s\n%s\n", fence, strings.TrimSpace(q[1]), fence)
		}
	}
}

// markdown is text without markup.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range clean(strings.ReplaceAll(s, "\n", " ")) {
		if strings.ContainsRune("\\`*_[]<>|~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
