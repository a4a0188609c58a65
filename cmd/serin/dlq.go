package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
)

func newDLQ(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "dlq", Short: "Look at dead letters, what could not be used, and publish releases among them again"}
	cmd.AddCommand(newDLQList(env), newDLQShow(env), newDLQRetry(env))
	return cmd
}

// lettersOf connects to where dead letters are kept.
func lettersOf(ctx context.Context, f natsFlags, env Env) (*remote, jetstream.DeadLetters, error) {
	r, err := f.dial(ctx, env)
	if err != nil {
		return nil, jetstream.DeadLetters{}, err
	}
	return r, jetstream.DeadLetters{JS: r.js, Names: r.names}, nil
}

func newDLQList(env Env) *cobra.Command {
	var f natsFlags
	var reason, output, since string
	cmd := &cobra.Command{
		Use: "list", Short: "List dead letters, oldest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			if strings.ContainsFunc(reason, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
				return exitError{code: exitUsage, err: fmt.Errorf("--reason %q: write one word, such as no_policy", reason)}
			}
			from, err := sinceFlag(env.Now(), since)
			if err != nil {
				return err
			}
			r, d, err := lettersOf(cmd.Context(), f, env)
			if err != nil {
				return err
			}
			defer r.close()
			return listLetters(cmd.Context(), env, d, from, reason, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "only those of this reason, such as no_policy")
	cmd.Flags().StringVar(&since, "since", "24h", "how far back: for example 2h or 7d")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func listLetters(ctx context.Context, env Env, d jetstream.DeadLetters, from time.Time, reason, output string) error {
	all, err := d.List(ctx, from, reason)
	switch {
	case err != nil:
		return err
	case output == "json":
		return printJSON(env.Stdout, all)
	case len(all) == 0:
		fmt.Fprintln(env.Stdout, "no dead letters since", from.UTC().Format(time.DateTime))
		return nil
	}
	return printLetters(env.Stdout, all)
}

// sinceFlag is the instant that a flag says.
func sinceFlag(now time.Time, text string) (time.Time, error) {
	d, err := model.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, exitError{code: exitUsage, err: fmt.Errorf("--since %q: write for example 30m, 24h or 7d", text)}
	}
	return now.Add(-time.Duration(d)), nil
}

func printLetters(out io.Writer, all []jetstream.Letter) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SEQ\tAT (UTC)\tREASON\tSUBJECT\tRETRIED\tWHY")
	for _, l := range all {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", l.Sequence, l.At.Format(time.DateTime), clean(l.Reason), clean(clip(l.Subject, 80)), retriedAt(l), clean(clip(toWhom(l)+l.Why, 120)))
	}
	return w.Flush()
}

// toWhom is the receiver that an undelivered event was for.
func toWhom(l jetstream.Letter) string {
	if to := l.Receiver(); to != "" {
		return to + ": "
	}
	return ""
}

func retriedAt(l jetstream.Letter) string {
	if l.Retried.IsZero() {
		return "-"
	}
	return l.Retried.Format(time.DateTime)
}

// clip is at most n characters of a text.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func newDLQShow(env Env) *cobra.Command {
	var f natsFlags
	var output string
	cmd := &cobra.Command{
		Use: "show SEQ", Short: "Show a dead letter: why it is one, where it came from, what it says", Args: cobra.ExactArgs(1),
		Long: "Show prints a dead letter: the reason in words, where the message was published, its headers, decoded, and the beginning of\n" +
			"its body. -o json has the headers as they were sent, and the whole body in base64.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			seqs, err := letterNumbers(args)
			if err != nil {
				return err
			}
			r, d, err := lettersOf(cmd.Context(), f, env)
			if err != nil {
				return err
			}
			defer r.close()
			l, err := d.Get(cmd.Context(), seqs[0])
			switch {
			case err != nil:
				return err
			case output == "json":
				return printJSON(env.Stdout, l)
			}
			printLetter(env.Stdout, l)
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func letterNumbers(args []string) ([]uint64, error) {
	var out []uint64
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil || n == 0 {
			return nil, exitError{code: exitUsage, err: fmt.Errorf("%q is no number of a dead letter: `serin dlq list` has them", a)}
		}
		out = append(out, n)
	}
	return out, nil
}

// maxShown is how much of a body is shown, in bytes.
const maxShown = 4 << 10

func printLetter(w io.Writer, l jetstream.Letter) {
	fmt.Fprintf(w, "dead letter %d of %s UTC: %s\n", l.Sequence, l.At.Format(time.DateTime), clean(l.Reason))
	fmt.Fprintf(w, "  why      %s\n  subject  %s\n", clean(l.Why), clean(l.Subject))
	fmt.Fprintf(w, "  from     %s, message %d\n  id       %s\n  retried  %s\n", clean(l.Stream), l.Message, clean(cmp.Or(l.ID, "-")), retriedAt(l))
	if to := l.Receiver(); to != "" {
		fmt.Fprintf(w, "  for      the receiver %s, which did not take it\n", clean(to))
	}
	var names []string
	for name := range l.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range l.Header[name] {
			if decoded, err := url.PathUnescape(v); err == nil {
				v = decoded
			}
			fmt.Fprintf(w, "  header   %s: %s\n", clean(name), clean(clip(v, maxShown)))
		}
	}
	shown := l.Body[:min(len(l.Body), maxShown)]
	fmt.Fprintf(w, "  body     %d bytes", l.Size)
	if len(shown) < l.Size {
		fmt.Fprintf(w, ", of which these are the first %d", len(shown))
	}
	fmt.Fprintln(w)
	for line := range strings.Lines(string(shown)) {
		fmt.Fprintln(w, "    "+clean(strings.TrimRight(line, "\r\n")))
	}
}
