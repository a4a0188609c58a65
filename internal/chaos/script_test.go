package chaos

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
)

func TestAScriptIsRepeatableAndOwesWhatWasAskedFor(t *testing.T) {
	s := Generate("single", 7, 40, 100)
	if diff := cmp.Diff(s, Generate("single", 7, 40, 100)); diff != "" {
		t.Errorf("the same seed gives another script:\n%s", diff)
	}
	if s.Rollouts() != 100 {
		t.Errorf("%d rollouts, want 100", s.Rollouts())
	}
	ends := map[End]int{}
	for _, slot := range s.Slots {
		for i, r := range slot.Releases {
			ends[r.End]++
			if last := i == len(slot.Releases)-1; last && r.End == Superseded {
				t.Errorf("%s: nothing supersedes the last release", slot.Service)
			}
		}
	}
	for _, end := range []End{Promoted, Failed, Aborted, Superseded, Duplicate} {
		if ends[end] == 0 {
			t.Errorf("no release ends %s: %v", end, ends)
		}
	}
}

func TestAVersionSaysHowItDoes(t *testing.T) {
	for _, c := range []struct {
		version    string
		step       int
		total, bad float64
	}{
		{"r1-good", 4, 100, 0}, {First, 1, 100, 0},
		{"r2-bad-3", 2, 100, 0}, {"r2-bad-3", 3, 100, 50}, {"r2-bad-3", 4, 100, 50},
		{"r3-wait-1", 1, 3, 0}, {"r3-wait-2", 1, 100, 0},
	} {
		if total, bad := Requests(c.version, c.step); total != c.total || bad != c.bad {
			t.Errorf("%s at step %d: %v requests, %v bad, want %v, %v", c.version, c.step, total, bad, c.total, c.bad)
		}
	}
}

func TestThePoliciesOfAScriptAreValid(t *testing.T) {
	dir := t.TempDir()
	if err := WritePolicies(dir, Generate("single", 7, 40, 100), "/bin/weight", "host:1"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		policies, findings := deployments.ParsePolicies(file, text)
		if err := findings.Err(); err != nil || len(policies) != policiesPerFile {
			t.Errorf("%d policies: %v", len(policies), err)
		}
	}
}
