package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
)

// policyFile is one file of policies.
type policyFile struct {
	path     string
	text     []byte
	policies []deployments.Policy
}

// maxPolicyFile is how large a file of policies may be, in bytes: below what a NATS server takes by default.
const maxPolicyFile = 1_000_000

// readPolicies reads files, and the *.yaml and *.yml of directories but for those of tests. All findings of all files
// come at once; an error means that something could not be read.
func readPolicies(env Env, paths []string) ([]policyFile, diag.Findings, error) {
	var files []policyFile
	var findings diag.Findings
	where := map[deployments.Slot]string{}
	for _, path := range paths {
		names, err := policyPaths(env, path)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			text, err := os.ReadFile(env.Path(name))
			if err != nil {
				return nil, nil, err
			}
			ps, found := deployments.ParsePolicies(name, text)
			findings = append(findings, found...)
			if len(text) > maxPolicyFile {
				findings = append(findings, diag.Finding{Position: diag.Position{File: name, Line: 1, Column: 1}, Severity: diag.Error,
					Message: fmt.Sprintf("the file has %d bytes, and NATS keeps %d of a policy at most", len(text), maxPolicyFile), Cure: "write one policy a file, or fewer rules"})
			}
			files = append(files, policyFile{name, text, ps})
			for _, p := range ps {
				if other, twice := where[p.Slot]; twice && other != name && p.Service != "" {
					findings = append(findings, diag.Finding{Position: diag.Position{File: name, Line: 1, Column: 1}, Severity: diag.Error,
						Message: fmt.Sprintf("%s has a policy in %s too", p.Slot, other), Cure: "keep one of them"})
				}
				where[p.Slot] = name
			}
		}
	}
	return files, findings, nil
}

func policyPaths(env Env, path string) ([]string, error) {
	info, err := os.Stat(env.Path(path))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var names []string
	entries, err := os.ReadDir(env.Path(path))
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(e.Name())) && !holdsTests(env, filepath.Join(path, e.Name())) {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	return names, err
}

var testsKey = regexp.MustCompile(`(?m)^tests[ \t]*:`)

// holdsTests reports whether a file is one of tests, by its name and by what stands in it: a policy of such a name is none.
func holdsTests(env Env, path string) bool {
	if !isTestFile(filepath.Base(path)) {
		return false
	}
	text, err := os.ReadFile(env.Path(path))
	return err == nil && testsKey.Match(text)
}
