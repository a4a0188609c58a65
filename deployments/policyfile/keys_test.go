package policyfile_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/deployments"
)

// alien is so far from every key that the parser suggests none, and lists those it knows.
const alien = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"

var index = regexp.MustCompile(`\[\d+\]`)

// knownKeys asks the parser which keys it knows in each mapping: it puts an unknown key into every mapping of a file that
// has them all, and reads the cures.
func knownKeys(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for dec := yaml.NewDecoder(strings.NewReader(string(text))); ; {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			break
		}
		plant(&n)
		planted, err := yaml.Marshal(&n)
		if err != nil {
			t.Fatal(err)
		}
		_, findings := deployments.ParsePolicies("full.yaml", planted)
		for _, f := range findings {
			path, _, found := strings.Cut(f.Message, `unknown key "`+alien+`"`)
			keys, listed := strings.CutPrefix(f.Cure, "known here: ")
			if !found || !listed {
				continue
			}
			path = index.ReplaceAllString(strings.TrimSuffix(path, ": "), "[]")
			out[path] = slices.Compact(slices.Sorted(slices.Values(append(out[path], strings.Split(keys, ", ")...))))
		}
	}
	return out
}

// plant puts the alien into every mapping, the document's among them. Where keys are free it does no harm.
func plant(n *yaml.Node) {
	for _, c := range n.Content {
		plant(c)
	}
	if n.Kind == yaml.MappingNode {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: alien}, &yaml.Node{Kind: yaml.ScalarNode, Value: "x"})
	}
}
