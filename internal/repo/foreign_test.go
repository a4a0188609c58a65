package repo

import (
	"strings"
	"testing"
)

// impure is what a pure package does without: network, files, processes, loggers, randomness of its own, and the
// technologies that adapters are for.
var impure = []string{
	"net", "net/http", "os", "os/exec", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand",
	"github.com/nats-io", "github.com/open-feature", "github.com/prometheus/client_golang", "github.com/spf13",
}

// ofTests is what must not reach users' binaries.
var ofTests = []string{
	"testing", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "pgregory.net/rapid", "go.uber.org/goleak",
	"github.com/santhosh-tekuri/jsonschema",
}

// foreign says why package from may not import path, which is not ours, or "".
func foreign(from, path string, inTest bool) string {
	const prometheus = "github.com/prometheus/prometheus"
	_, inCore := core[from]
	switch {
	case within(path, prometheus):
		return foreignPrometheus(from, strings.TrimPrefix(path, prometheus+"/"))
	case inTest:
		return ""
	case has(ofTests, path):
		return "a test library reaches users' binaries"
	case from == "internal/diag" && strings.Contains(path, "."):
		return "internal/diag stands on the standard library alone"
	case inCore && from != "deployments" && hasExactly(impure, path):
		return "a root package is pure"
	case from == "deployments" && has([]string{"github.com/nats-io", "github.com/open-feature", "github.com/spf13", "net/http", "os/exec"}, path):
		return "deployments knows no technology"
	}
	return ""
}

// foreignPrometheus keeps a large module in its places: the parser where PromQL is read, the engine in the lab and where
// policies are tested against written series.
func foreignPrometheus(from, path string) string {
	parser := within(path, "promql/parser") || within(path, "model")
	switch {
	case within(from, "internal/lab"), from == policytest:
		return ""
	case within(from, "rules") && parser:
		return ""
	case from == "analysis/annotations" && (path == "template" || path == "promql"): // the engine's sample is what templates take
		return ""
	case within(from, "rules"):
		return "rules needs the parser of PromQL, not its engine"
	}
	return "PromQL belongs to rules (parser) and internal/lab (engine)"
}

// has reports whether path is one of the packages or modules, or below one.
func has(list []string, path string) bool {
	for _, p := range list {
		if within(path, p) {
			return true
		}
	}
	return false
}

// hasExactly is has, but that of the standard library the package itself counts: net/url is pure, net is not.
func hasExactly(list []string, path string) bool {
	for _, p := range list {
		if path == p || strings.Contains(p, ".") && within(path, p) {
			return true
		}
	}
	return false
}

func TestForeignPackagesHaveTheirPlace(t *testing.T) {
	tests := map[string]struct {
		from, path   string
		inTest, want bool
	}{
		"the parser in rules":           {"rules", "github.com/prometheus/prometheus/promql/parser", false, true},
		"the engine in rules":           {"rules", "github.com/prometheus/prometheus/promql", false, false},
		"the parser in analysis":        {"analysis", "github.com/prometheus/prometheus/promql/parser", false, false},
		"the engine in a test":          {"analysis/prometheus", "github.com/prometheus/prometheus/promql", true, false},
		"the engine in policy tests":    {"internal/policytest", "github.com/prometheus/prometheus/promql", false, true},
		"a test library in them":        {"internal/policytest", "github.com/google/go-cmp/cmp", false, false},
		"the engine in the lab":         {"internal/lab/promlab", "github.com/prometheus/prometheus/promql", false, true},
		"a URL in a pure package":       {"analysis", "net/url", false, true},
		"the network in a pure package": {"analysis", "net/http", false, false},
		"a logger in a pure package":    {"steps", "log/slog", false, false},
		"a logger in the shell":         {"deployments", "log/slog", false, true},
		"NATS in the shell":             {"deployments", "github.com/nats-io/nats.go", false, false},
		"NATS in an adapter":            {"deployments/jetstream", "github.com/nats-io/nats.go", false, true},
		"a test library in production":  {"flags", "github.com/google/go-cmp/cmp", false, false},
		"a test library in a test":      {"flags", "github.com/google/go-cmp/cmp", true, true},
		"a module in diag":              {"internal/diag", "go.yaml.in/yaml/v3", false, false},
		"a module below diag":           {"internal/diag/yamldoc", "go.yaml.in/yaml/v3", false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if reason := foreign(tt.from, tt.path, tt.inTest); (reason == "") != tt.want {
				t.Errorf("%s → %s allowed: %t (%s), want %t", tt.from, tt.path, reason == "", reason, tt.want)
			}
		})
	}
}
