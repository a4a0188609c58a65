package policyfile_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/policytest"
)

// alien is so far from every word that the parser suggests none, and lists those it knows.
const alien = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"

// A format is a file that people write: one that has all its keys, its parser and its schema.
type format struct {
	file   string
	parse  func(text []byte) diag.Findings
	schema []byte
}

// tested is the policy that the file of tests is about.
const tested = `service: checkout
traffic: {version_flag: k}
rules: [{name: errors, bad: 'errors_total{version="{{version}}"}', total: 'requests_total{version="{{version}}"}', max: 5%}]`

func readTests(text []byte) diag.Findings {
	_, findings := policytest.Parse("full_tests.yaml", text, func(path string) ([]byte, error) {
		if path != "policy.yaml" {
			return nil, fs.ErrNotExist
		}
		return []byte(tested), nil
	})
	return findings
}

func readPolicies(text []byte) diag.Findings {
	_, findings := deployments.ParsePolicies("full.yaml", text)
	return findings
}

// probe tells the parser a file with something wrong in each document, and yields the findings, with their paths.
func (f format) probe(t *testing.T, plant func(*yaml.Node), found func(path, message, cure string)) {
	t.Helper()
	text, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	for dec := yaml.NewDecoder(strings.NewReader(string(text))); ; {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			return
		}
		plant(&n)
		planted, err := yaml.Marshal(&n)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.parse(planted) {
			path, message, inside := strings.Cut(d.Message, ": ")
			if !inside || strings.Contains(path, " ") {
				path, message = "", d.Message
			}
			found(strings.Replace(index.ReplaceAllString(path, "[]"), "rules.errors", "rules.*", 1), message, d.Cure)
		}
	}
}

var index = regexp.MustCompile(`\[\d+\]`)

// knownKeys asks the parser which keys it knows in each mapping: it puts an unknown key into every mapping.
func (f format) knownKeys(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	f.probe(t, plantKey, func(path, message, cure string) {
		if keys, listed := strings.CutPrefix(cure, "known here: "); listed && message == `unknown key "`+alien+`"` {
			out[path] = slices.Compact(slices.Sorted(slices.Values(append(out[path], strings.Split(keys, ", ")...))))
		}
	})
	return out
}

// plantKey puts the alien into every mapping, the document's among them. Where keys are free it does no harm.
func plantKey(n *yaml.Node) {
	for _, c := range n.Content {
		plantKey(c)
	}
	if n.Kind == yaml.MappingNode {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: alien}, &yaml.Node{Kind: yaml.ScalarNode, Value: "x"})
	}
}

// knownWords asks the parser which words it knows where it knows a few: it puts an unknown word in place of every one.
func (f format) knownWords(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	f.probe(t, plantWord, func(path, message, _ string) {
		if words, listed := strings.CutPrefix(message, `"`+alien+`" is not one of `); listed {
			out[path] = slices.Sorted(strings.SplitSeq(words, ", "))
		}
	})
	return out
}

// plantWord puts the alien in place of every value, but for what says which form a part of the file has.
func plantWord(n *yaml.Node) {
	for i, c := range n.Content {
		key := ""
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0, slices.Contains([]string{"policy", "service", "environment", "at"}, key) && c.Kind == yaml.ScalarNode:
		case c.Kind == yaml.ScalarNode:
			n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Value: alien}
		default:
			plantWord(c)
		}
	}
}
