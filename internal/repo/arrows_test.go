package repo

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath, Dir                    string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// packages lists the module's packages, those of the end-to-end tests included.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-tags", "e2e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("list packages: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("list packages: %v", err)
	}
	return pkgs
}

// core is the pure core and the shell: what each root package may import of ours, besides internal/diag.
var core = map[string][]string{
	"rules":          {},
	"analysis/stats": {},
	"analysis":       {"rules", "analysis/stats"},
	"steps":          {"analysis", "rules"},
	"flags":          {},
	"deployments":    {"steps", "analysis", "rules", "flags"},
}

// forbidden says why package `from` may not import `to`, or "". Both are paths inside the module.
func forbidden(from, to string, inTest bool) string {
	switch {
	case from == to || within(to, "internal/diag") || within(from, "cmd"):
		return ""
	case within(from, "internal/diag"):
		return "internal/diag imports nothing of ours"
	case within(from, webhooks):
		return "internal/standardwebhooks imports nothing of ours"
	case within(to, webhooks):
		return unless(core[from] == nil, "signing is for adapters")
	case within(to, "cmd"):
		return "nothing imports cmd"
	case within(from, "internal/e2e"):
		return unless(inTest, "internal/e2e looks at Serin from outside, in tests alone")
	case within(to, "internal/e2e"):
		return "nothing imports internal/e2e"
	case within(from, "internal/bench"):
		return unless(inTest, "internal/bench measures Serin in tests alone")
	case within(to, "internal/bench"):
		return "nothing imports internal/bench"
	case within(from, "internal/chaos"):
		return unless(!within(to, "internal/lab"), "internal/chaos has a world of its own")
	case within(to, "internal/chaos"):
		return "nothing imports internal/chaos"
	case within(to, "internal/repo"):
		return unless(inTest, "internal/repo is for tests")
	case within(from, policytest):
		return unless(core[to] != nil && to != "flags" || within(to, "internal/lab/promlab"), "internal/policytest drives deployments, against the lab's store")
	case within(to, policytest):
		return unless(inTest && from == "deployments/policyfile", "internal/policytest is for cmd, and for the test of its files' schema")
	case within(from, "internal/lab"):
		return unless(within(to, "internal/lab"), "internal/lab knows the world outside, and nothing of Serin")
	case within(to, "internal/lab"):
		return unless(inTest, "internal/lab is for cmd and for tests")
	case within(from, "internal/repo"):
		return unless(inTest, "internal/repo reads Markdown, and nothing of Serin")
	}
	if allowed, ok := core[from]; ok {
		noun, _, _ := strings.Cut(to, "/")
		fakes := inTest && suite(to) && (noun == from || slices.Contains(allowed, noun)) // a suite comes with fakes
		return unless(slices.Contains(allowed, to) || fakes, from+" may import "+strings.Join(append(allowed, "internal/diag"), ", "))
	}
	return forbiddenToAdapter(from, to, inTest)
}

// forbiddenToAdapter is forbidden for an adapter: a sub-package of a noun.
func forbiddenToAdapter(from, to string, inTest bool) string {
	noun, _, _ := strings.Cut(from, "/")
	serves := append(slices.Clone(core[noun]), noun)
	switch {
	case within(to, noun) && suite(to):
		return unless(inTest, "a conformance suite, or a stand-in of another's service, is for tests")
	case slices.Contains(serves, to), within(to, from), within(from, to) && to != noun:
		return "" // what it serves, its own inside, the adapter it is a part of
	case core[to] != nil:
		return "an adapter of " + noun + " serves " + strings.Join(serves, ", ")
	}
	return "an adapter does not know another one"
}

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

// within reports whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// webhooks is how requests to a user's own receivers are signed, whatever they are about.
const webhooks = "internal/standardwebhooks"

// policytest is what `serin test` does. It is no test of Serin, and so may not import what tests may.
const policytest = "internal/policytest"

// suite reports whether the package is a conformance suite, which has a name like flagstest.
func suite(path string) bool { return strings.HasSuffix(path, "test") && path != policytest }

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			t.Errorf("%s: a package outside the module's folders", p.ImportPath)
			continue
		}
		check := func(imports []string, inTest bool) {
			for _, path := range imports {
				reason := ""
				if to, ours := strings.CutPrefix(path, module+"/"); ours {
					reason = forbidden(from, to, inTest || suite(from))
				} else {
					reason = foreign(from, path, inTest || suite(from))
				}
				if reason != "" {
					t.Errorf("%s imports %s: %s", from, path, reason)
				}
			}
		}
		check(p.Imports, false)
		check(p.TestImports, true)
		check(p.XTestImports, true)
	}
}

func TestArrowsAgainstTheHouseAreFound(t *testing.T) {
	tests := map[string]struct {
		from, to     string
		inTest, want bool
	}{
		"down":                          {"steps", "analysis", false, true},
		"down two":                      {"steps", "rules", false, true},
		"up":                            {"rules", "analysis", false, false},
		"up in a test":                  {"analysis", "steps", true, false},
		"a leaf to a noun":              {"flags", "rules", false, false},
		"a noun to the leaf":            {"steps", "flags", false, false},
		"the shell to the core":         {"deployments", "flags", false, true},
		"the shell to an adapter":       {"deployments", "deployments/jetstream", false, false},
		"the same in a test":            {"deployments", "deployments/jetstream", true, false},
		"an adapter to its noun":        {"flags/natskv", "flags", false, true},
		"an adapter to the core below":  {"steps/traffic", "analysis", false, true},
		"an adapter to the shell":       {"steps/traffic", "deployments", false, false},
		"an adapter to another":         {"flags/natskv", "flags/openfeature", false, false},
		"the same in its test":          {"flags/natskv", "flags/openfeature", true, false},
		"an adapter to its suite":       {"flags/natskv", "flags/flagstest", false, false},
		"an adapter's test to it":       {"flags/natskv", "flags/flagstest", true, true},
		"an adapter to its stand-in":    {"flags/launchdarkly", "flags/launchdarkly/ldtest", false, false},
		"an adapter's test to that":     {"flags/launchdarkly", "flags/launchdarkly/ldtest", true, true},
		"a noun's test to its suite":    {"flags", "flags/flagstest", true, true},
		"the shell's test to a suite":   {"deployments", "flags/flagstest", true, true},
		"the shell to a suite":          {"deployments", "flags/flagstest", false, false},
		"a leaf's test to a suite":      {"flags", "steps/traffic/traffictest", true, false},
		"a part to its adapter":         {"steps/traffic/nginx", "steps/traffic", false, true},
		"anything to diag":              {"rules", "internal/diag/yamldoc", false, true},
		"diag to anything":              {"internal/diag", "rules", false, false},
		"a package to the lab":          {"analysis/prometheus", "internal/lab", false, false},
		"its test to the lab":           {"analysis/prometheus", "internal/lab/promlab", true, true},
		"the lab to Serin":              {"internal/lab", "flags", false, false},
		"the end-to-end test to all":    {"internal/e2e", "flags/openfeature", true, true},
		"what it runs to Serin":         {"internal/e2e/service", "flags", false, false},
		"anything to the end-to-end":    {"flags", "internal/e2e", true, false},
		"a benchmark to what it times":  {"internal/bench", "deployments/jetstream", true, true},
		"anything to the benchmarks":    {"deployments", "internal/bench", true, false},
		"chaos to what it audits":       {"internal/chaos/audit", "deployments/jetstream", false, true},
		"anything to chaos":             {"flags", "internal/chaos", true, false},
		"policy tests to the shell":     {"internal/policytest", "deployments", false, true},
		"policy tests to the engine":    {"internal/policytest", "internal/lab/promlab", false, true},
		"policy tests to an adapter":    {"internal/policytest", "deployments/jetstream", true, false},
		"the shell to policy tests":     {"deployments", "internal/policytest", true, false},
		"a schema's test to them":       {"deployments/policyfile", "internal/policytest", true, true},
		"a schema to policy tests":      {"deployments/policyfile", "internal/policytest", false, false},
		"cmd to policy tests":           {"cmd/serin", "internal/policytest", false, true},
		"an adapter to signing":         {"flags/webhook", "internal/standardwebhooks", false, true},
		"the core to signing":           {"deployments", "internal/standardwebhooks", false, false},
		"signing to anything":           {"internal/standardwebhooks", "flags", false, false},
		"cmd to all":                    {"cmd/serin", "deployments/jetstream", false, true},
		"anything to cmd":               {"deployments", "cmd/serin", true, false},
		"an adapter to the noun aside":  {"flags/natskv", "steps", false, false},
		"the shell's adapter to a noun": {"deployments/notify", "steps", false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if reason := forbidden(tt.from, tt.to, tt.inTest); (reason == "") != tt.want {
				t.Errorf("%s → %s allowed: %t (%s), want %t", tt.from, tt.to, reason == "", reason, tt.want)
			}
		})
	}
}
