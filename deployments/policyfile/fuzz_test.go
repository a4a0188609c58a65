package policyfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/policyfile"
)

// FuzzEffective holds what is printed against what was read, for whatever parses without an error.
func FuzzEffective(f *testing.F) {
	for _, pattern := range []string{"testdata/full.yaml", "../examples/*.yaml", "../examples/nginx/policy.yaml"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, _ := os.ReadFile(name)
			f.Add(string(text))
		}
	}
	f.Add("service: a\ntraffic: {version_flag: k}\nrules: [{uses: http/latency, max: 1}]")
	f.Add("service: a\ntraffic: {observe: true}\nvars: {x: \"1\\t\"}\nrules:\n  - name: b\n    bad: |+\n      e{a=\"{{vars.x}}\"}\n\n    total: r{v=\"{{version}}\"}\n    max: 1%\n")
	f.Fuzz(func(t *testing.T, text string) {
		ps, findings := deployments.ParsePolicies("fuzz.yaml", []byte(text))
		if findings.Err() != nil {
			return
		}
		for _, p := range ps {
			written, err := policyfile.Effective(p).YAML()
			if err != nil {
				t.Fatal(err)
			}
			again := parse(t, "effective.yaml", string(written))
			if diff := cmp.Diff([]deployments.Policy{p}, again, asked); diff != "" {
				t.Errorf("(-policy +effective):\n%s\n%s", diff, written)
			}
		}
	})
}
