package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/serin-cd/serin/deployments/policyfile"
)

// checkEffective checks as ever, and prints the policies with every default filled in where there are no errors. What
// is wrong goes to the standard error: the output is a policy file, or empty.
func checkEffective(env Env, paths []string, output string) error {
	if output != "text" {
		return exitError{code: exitUsage, err: fmt.Errorf("--print-effective prints policies, and not output %q", output)}
	}
	quiet := env
	quiet.Stdout = env.Stderr
	files, findings, err := readPolicies(env, paths)
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	if len(files) == 0 || findings.Err() != nil {
		return check(quiet, paths, output)
	}
	return printEffective(env.Stdout, files)
}

func printEffective(w io.Writer, files []policyFile) error {
	var errs []error
	separator := ""
	for _, f := range files {
		for _, p := range f.policies {
			text, err := policyfile.Effective(p).YAML()
			if err != nil {
				errs = append(errs, fmt.Errorf("print %s: %w", f.path, err))
				continue
			}
			_, err = fmt.Fprintf(w, "%s# %s, with every default\n%s", separator, clean(f.path), text)
			errs = append(errs, err)
			separator = "---\n"
		}
	}
	return errors.Join(errs...)
}
