package deployments_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
)

// TestMistakesOfPeopleAreToldWithPlaceAndCure reads each file of testdata/broken, which is one mistake, and holds what
// is said of it against the golden file beside it.
func TestMistakesOfPeopleAreToldWithPlaceAndCure(t *testing.T) {
	archives, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	mistakes := 0
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, f := range archive.Files {
			mistakes++
			_, findings := deployments.ParsePolicies("policy.yaml", f.Data)
			complete(t, name+": "+f.Name, findings)
			fmt.Fprintf(&got, "%s\n", f.Name)
			for _, finding := range findings {
				fmt.Fprintf(&got, "  %s\n", strings.TrimPrefix(finding.String(), "policy.yaml:"))
			}
		}
		golden := strings.TrimSuffix(name, ".txtar") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got), see -update:\n%s", golden, diff)
		}
	}
	if mistakes < 100 {
		t.Errorf("%d mistakes are too few to say anything", mistakes)
	}
}

// complete demands an error, and of all errors what a person needs to mend them.
func complete(t *testing.T, mistake string, findings diag.Findings) {
	t.Helper()
	if findings.Err() == nil {
		t.Errorf("%s: no error was found", mistake)
	}
	for _, f := range findings {
		if f.Severity == diag.Error && (f.File == "" || f.Line < 1 || f.Column < 1 || f.Message == "" || f.Cure == "") {
			t.Errorf("%s: place, message or cure are missing: %#v", mistake, f)
		}
	}
}
