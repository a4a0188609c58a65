package policyfile_test

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/policyfile"
	"github.com/serin-cd/serin/rules"
)

var update = flag.Bool("update", false, "rewrite the schema")

// validFiles are policies that people may take for a pattern, and those that tests of the parser call valid. Files of
// rules alone get the rest of a policy.
func validFiles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"testdata/full.yaml", "../examples/*.yaml", "../examples/*/policy*.yaml", "../../rules/testdata/valid/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files like %s: %v", pattern, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.yaml") { // a test of a policy
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = string(text)
			if strings.Contains(name, "rules/testdata") {
				const rest = "service: checkout\ntraffic: {version_flag: k}\n"
				out[name] = rest + strings.ReplaceAll(string(text), "\n---\n", "\n---\n"+rest)
			}
		}
	}
	return out
}

func parse(t *testing.T, name, text string) []deployments.Policy {
	t.Helper()
	ps, findings := deployments.ParsePolicies(name, []byte(text))
	if err := findings.Err(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return ps
}

// asked are the differences between policies that make none to what is asked and decided.
var asked = cmp.Options{
	cmpopts.IgnoreFields(deployments.Policy{}, "Hash"),
	cmpopts.IgnoreFields(rules.Rule{}, "At"),
	cmp.Comparer(func(a, b *analysis.Source) bool {
		return a == nil && b == nil || a != nil && b != nil && a.ID() == b.ID()
	}),
	cmpopts.EquateEmpty(),
}

func TestAnEffectiveFileSaysTheSameAsItsPolicy(t *testing.T) {
	for name, text := range validFiles(t) {
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			for _, p := range parse(t, name, text) {
				written, err := policyfile.Effective(p).YAML()
				if err != nil {
					t.Fatal(err)
				}
				again := parse(t, "effective.yaml", string(written))
				if diff := cmp.Diff([]deployments.Policy{p}, again, asked); diff != "" {
					t.Errorf("(-policy +effective):\n%s\n%s", diff, written)
				}
				fits(t, policyfile.Schema(), string(written))
			}
		})
	}
}

func TestEffectiveFillsInEveryDefault(t *testing.T) {
	p := parse(t, "p.yaml", strings.Join([]string{"service: checkout", "traffic: {version_flag: checkout-version}",
		"rules: [{uses: http/error-rate, max: 5%}]"}, "\n"))[0]
	got, err := policyfile.Effective(p).YAML()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/defaults.txt")
	if *update {
		want = got
		err = os.WriteFile("testdata/defaults.txt", got, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got), see -update:\n%s", diff)
	}
}

func TestTheSchemaIsTheOneOfTheTypes(t *testing.T) {
	for file, got := range map[string][]byte{"policy.schema.json": policyfile.Schema(), "tests.schema.json": policyfile.TestsSchema()} {
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what the types say (-file +types), see -update:\n%s", file, diff)
		}
	}
}

func TestEveryValidPolicyFitsTheSchema(t *testing.T) {
	for name, text := range validFiles(t) {
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			parse(t, name, text)
			fits(t, policyfile.Schema(), text)
		})
	}
}

// documents are the YAML documents of a text, as values of JSON.
func documents(t *testing.T, text string) []any {
	t.Helper()
	var out []any
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			return out
		}
		out = append(out, jsonOf(t, &n))
	}
}

// jsonOf is what an editor takes a value for: by YAML 1.2 a time is text.
func jsonOf(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return jsonOf(t, n.Content[0])
	case yaml.AliasNode:
		return jsonOf(t, n.Alias)
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			out = append(out, jsonOf(t, item))
		}
		return out
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = jsonOf(t, n.Content[i+1])
		}
		return out
	case yaml.ScalarNode:
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return 0 // JSON has none; an editor knows that it is a number
	}
	if n.Tag == "!!timestamp" {
		return n.Value
	}
	return v
}
