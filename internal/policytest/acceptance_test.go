package policytest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/internal/policytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the tests of a file, which must have no fault.
func run(t *testing.T, path string) []policytest.Result {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, findings := policytest.Parse(path, text, os.ReadFile)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return policytest.Runner{}.Run(t.Context(), []policytest.File{file})
}

// The files of testdata say what a policy makes of awkward data. They are tests as users write them.
func TestPoliciesJudgeAwkwardDataAsWritten(t *testing.T) {
	for _, pattern := range []string{"testdata/*_test.yaml", "../../deployments/examples/*_test.yaml", "../../deployments/examples/*/*_test.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no tests in %s: %v", pattern, err)
		}
		for _, path := range paths {
			t.Run(filepath.Base(path), func(t *testing.T) {
				results := run(t, path)
				if policytest.Failed(results) > 0 {
					var b strings.Builder
					_ = policytest.Text(&b, results)
					t.Error(b.String())
				}
			})
		}
	}
}
