package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/policytest"
)

type testFlags struct{ output, run string }

func newTest(env Env) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test FILE…",
		Short: "Test policies against written series",
		Long: "Test reads files of tests, or those of directories that end in _test.yaml or .test.yaml, and takes the releases in them through\n" +
			"their policies: in simulated time, against the series in the file, which are written as for `promtool test rules`. It needs no\n" +
			"Prometheus and no NATS. Exit status 1: a test failed; 2: a file cannot be used, or no test was selected.",
		Example: "  serin test checkout_test.yaml\n" +
			"  serin test policies -o junit\n" +
			"  serin test --run \"taken back\" checkout_test.yaml",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return test(cmd.Context(), env, args, f) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text, json or junit")
	cmd.Flags().StringVar(&f.run, "run", "", "run only tests whose name this regular expression matches")
	return cmd
}

// testReports are the forms of the results.
var testReports = map[string]func(io.Writer, []policytest.Result) error{
	"text": policytest.Text, "json": policytest.JSON, "junit": policytest.JUnit,
}

func test(ctx context.Context, env Env, paths []string, f testFlags) error {
	report, ok := testReports[f.output]
	if !ok {
		return exitError{code: exitUsage, err: fmt.Errorf("output %q is not one of text, json, junit", f.output)}
	}
	selected, err := regexp.Compile(f.run)
	if err != nil {
		return exitError{code: exitUsage, err: fmt.Errorf("read --run: %w", err)}
	}
	files, err := readTests(env, paths)
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	results := policytest.Runner{Now: env.Now, Select: selected}.Run(ctx, files)
	if len(results) == 0 {
		return exitError{code: exitUsage, err: fmt.Errorf("no test has a name that matches %q", f.run)}
	}
	if err := report(env.Stdout, results); err != nil {
		return err
	}
	if failed := policytest.Failed(results); failed > 0 {
		return exitError{code: exitNo, err: fmt.Errorf("%d of %s failed", failed, count(len(results), "test"))}
	}
	return nil
}

// readTests reads files of tests and their policies. What is wrong with them is told with its place and its cure.
func readTests(env Env, paths []string) ([]policytest.File, error) {
	var files []policytest.File
	var findings diag.Findings
	sources := map[string][]string{}
	open := func(name string) ([]byte, error) {
		text, err := os.ReadFile(env.Path(name))
		sources[name] = strings.Split(string(text), "\n")
		return text, err
	}
	for _, path := range paths {
		names, err := testPaths(env, path)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			text, err := open(name)
			if err != nil {
				return nil, err
			}
			file, found := policytest.Parse(name, text, open)
			for _, f := range found {
				if !slices.Contains(findings, f) { // a policy may have several files of tests
					findings = append(findings, f)
				}
			}
			files = append(files, file)
		}
	}
	for _, f := range findings {
		printFinding(env.Stderr, f, sources[f.File])
	}
	if findings.Err() != nil {
		return nil, errors.New("the tests cannot be run")
	}
	return files, nil
}

// testPaths are the files of tests that a path stands for.
func testPaths(env Env, path string) ([]string, error) {
	info, err := os.Stat(env.Path(path))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(env.Path(path))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && isTestFile(e.Name()) {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no tests in %s: their files end in _test.yaml or .test.yaml", path)
	}
	return names, nil
}

// isTestFile reports whether a file in a directory of policies is one of tests.
func isTestFile(name string) bool {
	stem, yaml := strings.CutSuffix(name, ".yaml")
	if !yaml {
		stem, yaml = strings.CutSuffix(name, ".yml")
	}
	return yaml && (strings.HasSuffix(stem, "_test") || strings.HasSuffix(stem, ".test"))
}
