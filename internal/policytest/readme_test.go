package policytest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-cd/serin/internal/policytest"
)

// TestTheChaptersTestPasses runs the chapter's tests against the chapter's first policy.
func TestTheChaptersTestPasses(t *testing.T) {
	chapter, err := os.ReadFile(filepath.FromSlash("../../rules/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var policy, tests string
	for i, block := range strings.Split(string(chapter), "```") {
		text, yaml := strings.CutPrefix(block, "yaml\n")
		switch {
		case i%2 == 0 || !yaml:
		case strings.Contains(text, "\ntests:"):
			tests = text
		case policy == "" && strings.Contains(text, "service:"):
			policy = text
		}
	}
	file, findings := policytest.Parse("checkout_test.yaml", []byte(tests), func(name string) ([]byte, error) {
		if name != "checkout.yaml" {
			return nil, fs.ErrNotExist
		}
		return []byte(policy), nil
	})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	results := policytest.Runner{}.Run(t.Context(), []policytest.File{file})
	if len(results) == 0 || policytest.Failed(results) > 0 {
		var b strings.Builder
		_ = policytest.Text(&b, results)
		t.Error(b.String())
	}
}
