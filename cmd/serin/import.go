package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/rules/importer"
)

// imports is what `serin import` was asked for.
type imports struct {
	head    importer.Head
	options importer.Options
	write   string
	output  string
	strict  bool
}

func newImport(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Make a policy of the rules of another tool", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newImportPrometheus(env))
	return cmd
}

func newImportPrometheus(env Env) *cobra.Command {
	var im imports
	cmd := &cobra.Command{
		Use:   "prometheus FILE…",
		Short: "Make a policy of Prometheus' alerting rules",
		Long: "Prometheus reads rule files, PrometheusRules and ConfigMaps of rule files, or the *.yaml, *.yml and *.rules files of directories;\n" +
			"- is the standard input. Each rule is converted, or refused with its line and the reason. The policy goes to the standard\n" +
			"output, or to a file with -w; the report goes to the standard error output. With -o json the report goes to the standard\n" +
			"output, and the policy nowhere but to -w.\n\n" +
			"A refused rule is no error, unless --strict is given: then the status is 1 when an alert was refused. It is also 1 when\n" +
			"nothing could be converted, and 2 when a file could not be read.",
		Example: "  serin import prometheus rules.yml --service checkout --version-flag checkout-version -w checkout.yaml\n" +
			"  serin import prometheus rules.yml --rewrite-version --strict",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return im.run(env, args) },
	}
	f := cmd.Flags()
	f.StringVar(&im.head.Service, "service", "", "the policy's service")
	f.StringVar(&im.head.VersionFlag, "version-flag", "", "the flag that moves the service's traffic")
	f.StringVar(&im.head.OnNoData, "on-no-data", "", "what no data means: hold (the default of policies), pass (as in Prometheus) or rollback")
	f.BoolVar(&im.options.RewriteVersion, "rewrite-version", false, "write {{version}} in place of a hard-coded version")
	f.StringVarP(&im.write, "write", "w", "", "write the policy to this file")
	f.StringVarP(&im.output, "output", "o", "text", "the report as text or json")
	f.BoolVar(&im.strict, "strict", false, "exit with 1 when an alert was refused")
	return cmd
}

var policyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

func (im imports) run(env Env, paths []string) error {
	if err := im.usable(); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	files, err := readRuleFiles(env, paths)
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	if im.write != "" && slices.ContainsFunc(files, func(f importer.File) bool { return sameFile(env, f.Name, im.write) }) {
		return exitError{code: exitUsage, err: fmt.Errorf("%s is one of the files to import: write the policy to another", im.write)}
	}
	report := importer.Prometheus(files, im.options)
	if err := im.policy(env, report); err != nil {
		return err
	}
	if err := im.tell(env, report, len(files)); err != nil {
		return err
	}
	return im.outcome(report)
}

// usable checks what the flags say.
func (im imports) usable() error {
	switch {
	case im.output != "text" && im.output != "json":
		return fmt.Errorf("output %q is not one of text, json", im.output)
	case im.head.Service != "" && !policyName.MatchString(im.head.Service):
		return fmt.Errorf("service %q is no name: use 1 to 63 letters, digits, - and _", im.head.Service)
	case !slices.Contains([]string{"", "hold", "pass", "rollback"}, im.head.OnNoData):
		return fmt.Errorf("--on-no-data %q is not one of hold, pass, rollback", im.head.OnNoData)
	}
	return nil
}

// maxImport bounds what is read of one file.
const maxImport = 32 << 20

// readRuleFiles reads files, the rule files of directories, and "-" for the standard input.
func readRuleFiles(env Env, paths []string) ([]importer.File, error) {
	var files []importer.File
	for _, path := range paths {
		names, err := ruleFilePaths(env, path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := readRuleFile(env, name)
			if err != nil {
				return nil, err
			}
			files = append(files, importer.File{Name: name, Text: text})
		}
	}
	if len(files) == 0 {
		return nil, errors.New("no rule files there: they end in .yaml, .yml or .rules")
	}
	return files, nil
}

func readRuleFile(env Env, name string) ([]byte, error) {
	if name == "-" {
		return bounded(env.Stdin, "the standard input")
	}
	f, err := os.Open(env.Path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bounded(f, name)
}

func bounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxImport+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(text) > maxImport:
		return nil, fmt.Errorf("%s has more than %d MiB: split it", name, maxImport>>20)
	}
	return text, nil
}

func ruleFilePaths(env Env, path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(env.Path(path))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(env.Path(path))
	var names []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".rules"}, filepath.Ext(e.Name())) {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	return names, err
}

func sameFile(env Env, a, b string) bool {
	one, errOne := os.Stat(env.Path(a))
	other, errOther := os.Stat(env.Path(b))
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}

// policy writes the policy, where there is one.
func (im imports) policy(env Env, report importer.Report) error {
	text := report.Policy(im.head)
	switch {
	case len(text) == 0:
		return nil
	case im.write != "":
		return os.WriteFile(env.Path(im.write), text, 0o644)
	case im.output == "text":
		_, err := env.Stdout.Write(text)
		return err
	}
	return nil
}

// tell writes the report.
func (im imports) tell(env Env, report importer.Report, files int) error {
	if im.output == "json" {
		if report == nil {
			report = importer.Report{}
		}
		enc := json.NewEncoder(env.Stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return err
		}
	} else {
		for _, one := range report {
			fmt.Fprintln(env.Stderr, clean(resultLine(one)))
			for _, note := range one.Notes {
				fmt.Fprintf(env.Stderr, "    note: %s\n", clean(note))
			}
			if one.Cure != "" && one.Kind != importer.RecordingRule {
				fmt.Fprintf(env.Stderr, "    cure: %s\n", clean(one.Cure))
			}
		}
	}
	converted, refused := report.Count(importer.Converted), report.Count(importer.Refused)
	fmt.Fprintf(env.Stderr, "converted %d, refused %d of %s in %s%s\n", converted, refused, count(converted+refused, "rule"), count(files, "file"), recordings(report))
	if converted > 0 && im.head.OnNoData == "" {
		fmt.Fprintln(env.Stderr, "warning: Prometheus treats no data as healthy; imported rules here do not (use `on_no_data: pass` for the old behaviour)")
	}
	return nil
}

func resultLine(one importer.Result) string {
	line := fmt.Sprintf("%s:%d: ", one.File, one.Line)
	if one.Rule != "" {
		line += one.Rule + ": "
	}
	line += string(one.Status)
	switch {
	case one.Reason != "":
		line += ": " + one.Reason
	case one.Name != one.Rule:
		line += " as " + one.Name
	}
	return line
}

// recordings counts the recording rules among the refused.
func recordings(report importer.Report) string {
	n := 0
	for _, one := range report {
		if one.Kind == importer.RecordingRule {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s among the refused)", count(n, "recording rule"))
}

// outcome is the exit status.
func (im imports) outcome(report importer.Report) error {
	alerts := 0
	for _, one := range report {
		if one.Status == importer.Refused && one.Kind != importer.RecordingRule {
			alerts++
		}
	}
	switch {
	case report.Count(importer.Converted) == 0:
		return exitError{code: exitNo, err: errors.New("there is nothing to make a policy of")}
	case im.strict && alerts > 0:
		return exitError{code: exitNo, err: errors.New(strings.TrimSpace(count(alerts, "refusal") + ", and --strict was given"))}
	}
	return nil
}
