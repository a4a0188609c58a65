package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/internal/diag"
)

func newCheck(env Env) *cobra.Command {
	var output string
	var effective bool
	var live online
	cmd := &cobra.Command{
		Use:   "check FILE…",
		Short: "Say everything that is wrong with policies",
		Long: "Check reads policy files, or the *.yaml files of directories, and says for each fault where it is, what is wrong, and what\n" +
			"cures it. It exits with 1 when there are errors; warnings alone do not fail it.",
		Example: "  serin check checkout.yaml\n" +
			"  serin check policies -o github\n" +
			"  serin check --print-effective checkout.yaml\n" +
			"  serin check --online --prometheus http://127.0.0.1:9090 checkout.yaml",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := live.validate(); err != nil {
				return err
			}
			if effective {
				return checkEffective(env, args, output)
			}
			return live.checkAll(cmd.Context(), env, args, output)
		},
	}
	live.flags(cmd)
	cmd.Flags().BoolVar(&effective, "print-effective", false, "print the policies with every default filled in, when there are no errors")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or github (annotations of a workflow)")
	return cmd
}

func check(env Env, paths []string, output string) error {
	return new(online).checkAll(context.Background(), env, paths, output)
}

// checkAll checks files, and asks Prometheus too where that is wanted.
func (o *online) checkAll(ctx context.Context, env Env, paths []string, output string) error {
	files, findings, err := readPolicies(env, paths)
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	if o.on {
		findings = append(findings, o.check(ctx, env, files, findings)...).Sorted()
	}
	switch output {
	case "github":
		for _, f := range findings {
			fmt.Fprintln(env.Stdout, annotation(f))
		}
	case "json":
		if findings == nil {
			findings = diag.Findings{}
		}
		enc := json.NewEncoder(env.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(findings); err != nil {
			return err
		}
	case "text":
		sources := map[string][]string{}
		for _, f := range files {
			sources[f.path] = strings.Split(string(f.text), "\n")
		}
		for _, f := range findings {
			printFinding(env.Stdout, f, sources[f.File])
		}
		for _, line := range o.said {
			fmt.Fprintln(env.Stdout, clean(line))
		}
	default:
		return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, json, github", output)}
	}
	return checked(env, files, findings, output)
}

// checked says in one line how it went.
func checked(env Env, files []policyFile, findings diag.Findings, output string) error {
	errs, policies := 0, 0
	for _, f := range findings {
		if f.Severity != diag.Warning {
			errs++
		}
	}
	for _, f := range files {
		policies += len(f.policies)
	}
	switch {
	case len(files) == 0:
		return exitError{code: exitUsage, err: errors.New("no policy files there: they end in .yaml or .yml")}
	case errs > 0 && output == "text":
		return exitError{code: exitNo, err: fmt.Errorf("%s, %s", count(errs, "error"), count(len(findings)-errs, "warning"))}
	case errs > 0:
		return exitError{code: exitNo}
	case output == "text":
		fmt.Fprintf(env.Stdout, "%s in %s: no errors, %s\n", count(policies, "polic"), count(len(files), "file"), count(len(findings), "warning"))
	}
	return nil
}

// printFinding shows a finding with its line and a caret under the fault.
func printFinding(w io.Writer, f diag.Finding, lines []string) {
	fmt.Fprintf(w, "%s: %s: %s\n", f.Position, f.Severity, f.Message)
	if f.Line > 0 && f.Line <= len(lines) && strings.TrimSpace(lines[f.Line-1]) != "" {
		line := strings.TrimRight(lines[f.Line-1], "\r")
		fmt.Fprintf(w, "    %s\n    %s^\n", clean(strings.ReplaceAll(line, "\t", " ")), strings.Repeat(" ", max(0, min(f.Column-1, len([]rune(line))))))
	}
	if f.Cure != "" {
		fmt.Fprintf(w, "    cure: %s\n", f.Cure)
	}
}

// annotation is a finding as a workflow command of GitHub Actions.
func annotation(f diag.Finding) string {
	kind, text := "error", f.Message
	if f.Severity == diag.Warning {
		kind = "warning"
	}
	if f.Cure != "" {
		text += "; " + f.Cure
	}
	return fmt.Sprintf("::%s file=%s,line=%d,col=%d::%s", kind, commandProperty(f.File), max(f.Line, 1), max(f.Column, 1), commandData(text))
}

// count is a number and a noun.
func count(n int, noun string) string {
	switch {
	case noun == "polic" && n == 1:
		return "1 policy"
	case noun == "polic":
		return fmt.Sprintf("%d policies", n)
	case n == 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clean is text from elsewhere for a terminal: without control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return '\uFFFD'
		}
		return r
	}, s)
}
