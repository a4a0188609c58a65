package deployments_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

var update = flag.Bool("update", false, "rewrite the expected findings")

func TestATenLinePolicyHasTheDefaults(t *testing.T) {
	ps, findings := deployments.ParsePolicies("p.yaml", []byte(strings.Join([]string{
		"service: checkout", "prometheus: http://127.0.0.1:9090", "traffic: {version_flag: checkout-version}", "rules:",
		"  - name: error-rate", `    bad: requests{version="{{version}}",code=~"5.."}`, `    total: requests{version="{{version}}"}`, "    max: 5%"}, "\n")))
	if len(findings) > 0 || len(ps) != 1 {
		t.Fatalf("%d policies, findings:\n%v", len(ps), findings)
	}
	want := steps.Plan{
		Mover:         steps.Mover{Kind: steps.VersionFlag, Key: "checkout-version"},
		Steps:         []steps.Step{{Share: 500, Bake: 5 * time.Minute}, {Share: 2500, Bake: 10 * time.Minute}, {Share: 5000, Bake: 10 * time.Minute}, {Share: 10000}},
		Rules:         []rules.Tolerance{{Rule: "error-rate", For: time.Minute, OnFail: rules.Rollback, AlertAfter: 10 * time.Minute, OutageAlertAfter: 5 * time.Minute}},
		Failure:       steps.Failure{Do: []steps.Action{{Kind: steps.RollbackAction}}},
		ConfirmWithin: 2 * time.Minute, Recovery: 5 * time.Minute, ReadyWithin: 5 * time.Minute,
	}
	if diff := cmp.Diff(want, ps[0].Plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if ps[0].Slot != (deployments.Slot{Environment: "production", Service: "checkout"}) {
		t.Errorf("slot %v", ps[0].Slot)
	}
}

// TestBrokenPoliciesAreToldWithPlaceAndCure holds each file of testdata/invalid against what is said about it.
func TestBrokenPoliciesAreToldWithPlaceAndCure(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no broken policies")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, findings := deployments.ParsePolicies(filepath.Base(file), text)
			if findings.Err() == nil {
				t.Fatal("no error was found")
			}
			for _, f := range findings {
				if f.Line == 0 || f.Column == 0 || f.Cure == "" {
					t.Errorf("without place or cure: %v", f)
				}
			}
			got := findings.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParsePolicies(f *testing.F) {
	f.Add(policyText)
	files, _ := filepath.Glob("testdata/invalid/*.yaml")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		ps, findings := deployments.ParsePolicies("fuzz.yaml", []byte(text))
		if findings.Err() != nil {
			return
		}
		for _, p := range ps {
			if _, err := steps.NewRollout("r", p.Environment, p.Service, "1.1.0", "1.0.0", p.Plan, time.Unix(0, 0)); err != nil {
				t.Errorf("checked without errors, and refused all the same: %v", err)
			}
		}
	})
}
