package policyfile_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/policyfile"
	"github.com/serin-cd/serin/rules"
)

func compiled(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fits(t *testing.T, schema []byte, text string) {
	t.Helper()
	s := compiled(t, schema)
	for _, doc := range documents(t, text) {
		if err := s.Validate(doc); err != nil {
			t.Errorf("the schema refuses a valid file: %v\n%s", err, text)
		}
	}
}

func TestTheSchemaRefusesWhatIsObviouslyWrong(t *testing.T) {
	tests := map[string]string{
		"no service":                  "traffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]",
		"no rules":                    "service: a\ntraffic: {version_flag: k}",
		"an unknown key":              "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]\nrecover: 5m",
		"an unknown key of rules":     "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, windows: 5m}]",
		"no mover":                    "service: a\ntraffic: {}\nrules: [{name: a, query: up, min: 1}]",
		"two movers":                  "service: a\ntraffic: {version_flag: k, flag: k}\nrules: [{name: a, query: up, min: 1}]",
		"observe: false":              "service: a\ntraffic: {observe: false}\nrules: [{name: a, query: up, min: 1}]",
		"a number for a duration":     "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, for: 60}]",
		"a phrase for a duration":     "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]\nrecovery: five minutes",
		"a word outside its list":     "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, on_fail: pass}]",
		"a weight above 100":          "service: a\ntraffic: {version_flag: k}\nsteps: [5, 120]\nrules: [{name: a, query: up, min: 1}]",
		"neither weight nor audience": "service: a\ntraffic: {version_flag: k}\nsteps: [{bake: 5m}, 100]\nrules: [{name: a, query: up, min: 1}]",
		"an audience of everybody":    "service: a\ntraffic: {version_flag: k}\nsteps: [{audience: {}}, 100]\nrules: [{name: a, query: up, min: 1}]",
		"two forms of a rule":         "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, bad: x, total: y, max: 1}]",
		"a ratio above 1":             "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, bad: x, total: y, max: 5}]",
		"no limit":                    "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up}]",
		"an alert without expr":       "service: a\ntraffic: {version_flag: k}\nrules: [{alert: A, for: 1m}]",
		"rules as a mapping":          "service: a\ntraffic: {version_flag: k}\nrules: {name: a, query: up, min: 1}",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if _, findings := deployments.ParsePolicies("p.yaml", []byte(text)); findings.Err() == nil {
				t.Fatal("the parser takes it")
			}
			for _, doc := range documents(t, text) {
				if compiled(t, policyfile.Schema()).Validate(doc) == nil {
					t.Error("the schema takes it")
				}
			}
		})
	}
}

// schema is what tests look at of a schema.
type schema struct {
	Description          string
	Enum                 []any
	Properties           map[string]schema
	AdditionalProperties json.RawMessage // a schema, or false
	Items                *schema
	MaxItems             int
	AnyOf                []schema
}

func readSchema(t *testing.T, text []byte) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// walk visits the schema and all in it, by their paths in a file.
func (s schema) walk(path string, visit func(path string, s schema)) {
	visit(path, s)
	for _, alternative := range s.AnyOf {
		alternative.walk(path, visit)
	}
	if s.Items != nil {
		s.Items.walk(path+"[]", visit)
	}
	var free schema
	if json.Unmarshal(s.AdditionalProperties, &free) == nil {
		free.walk(path+".*", visit)
	}
	if !s.closed() { // free keys, or a condition on keys that are listed elsewhere
		return
	}
	for key, p := range s.Properties {
		p.walk(strings.TrimPrefix(path+"."+key, "."), visit)
	}
}

// closed reports whether the schema lists all keys.
func (s schema) closed() bool { return string(s.AdditionalProperties) == "false" }

func formats() map[string]format {
	return map[string]format{
		"policies": {"testdata/full.yaml", readPolicies, policyfile.Schema()},
		"tests":    {"testdata/full_tests.yaml", readTests, policyfile.TestsSchema()},
	}
}

func TestTheTypesHaveTheKeysThatTheParserKnows(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			got := map[string][]string{}
			readSchema(t, f.schema).walk("", func(path string, s schema) {
				if s.closed() {
					got[path] = slices.Sorted(maps.Keys(s.Properties))
				}
			})
			want := f.knownKeys(t)
			delete(want, "tests[].verdicts[].rules") // the names of the policy's rules
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("keys of each mapping (-parser +types):\n%s", diff)
			}
		})
	}
}

func TestTheTypesHaveTheWordsThatTheParserKnows(t *testing.T) {
	special := []string{ // words that the parser lists for the sake of its cure, or takes beside those that it lists
		"traffic.observe", "on_failure.do[]", "on_failure.else[]", "on_promote[]", "ready", "tests[].verdicts[].rules",
		"tests[].verdicts[].rules.*", "tests[].verdicts[].rules.*.verdict", "tests[].verdicts[].rules.*.lost", "tests[].course[].hold", "tests[].course[].step",
	}
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			got := map[string][]string{}
			readSchema(t, f.schema).walk("", func(path string, s schema) {
				for _, word := range s.Enum {
					if text, ok := word.(string); ok && !slices.Contains(special, path) {
						got[path] = append(got[path], text)
					}
				}
				slices.Sort(got[path])
			})
			maps.DeleteFunc(got, func(_ string, words []string) bool { return len(words) == 0 })
			want := f.knownWords(t)
			maps.DeleteFunc(want, func(path string, _ []string) bool { return slices.Contains(special, path) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("words of each key (-parser +types):\n%s", diff)
			}
		})
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	for _, f := range formats() {
		readSchema(t, f.schema).walk("", func(path string, s schema) {
			if !s.closed() {
				return
			}
			for key, p := range s.Properties {
				if !strings.HasSuffix(p.Description, ".") {
					t.Errorf("%s.%s: %q is no sentence", path, key, p.Description)
				}
			}
		})
	}
}

func TestTheSchemaTakesAsManyRulesAsTheParser(t *testing.T) {
	if got := readSchema(t, policyfile.Schema()).Properties["rules"].MaxItems; got != rules.MaxRules {
		t.Errorf("%d rules at most, want %d", got, rules.MaxRules)
	}
}

func TestEveryValidFileOfTestsFitsTheSchema(t *testing.T) {
	files := []string{"testdata/full_tests.yaml"}
	for _, pattern := range []string{"../examples/*_test.yaml", "../examples/*/*_test.yaml", "../../internal/policytest/testdata/*_test.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files like %s: %v", pattern, err)
		}
		files = append(files, names...)
	}
	for _, name := range files {
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fits(t, policyfile.TestsSchema(), string(text))
		})
	}
}

func TestTheSchemaRefusesTestsThatAreObviouslyWrong(t *testing.T) {
	tests := map[string]string{
		"no policy":                    "tests: [{name: a, release: {version: 1.1.0}, outcome: promoted}]",
		"no tests":                     "policy: policy.yaml\nrelease: {version: 1.1.0}",
		"an unknown key":               "policy: policy.yaml\nrelease: {version: 1.1.0}\ntests: [{name: a, outcom: promoted}]",
		"an unknown outcome":           "policy: policy.yaml\nrelease: {version: 1.1.0}\ntests: [{name: a, outcome: rolled back}]",
		"two in one line":              "policy: policy.yaml\nrelease: {version: 1.1.0}\ntests: [{name: a, course: [{at: 0s, step: 5, hold: none}]}]",
		"an audience that no step has": "policy: policy.yaml\nrelease: {version: 1.1.0}\ntests: [{name: a, course: [{at: 0s, step: testers}]}]",
		"a time in words":              "policy: policy.yaml\nrelease: {version: 1.1.0}\ntests: [{name: a, course: [{at: soon, step: 5}]}]",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if readTests([]byte(text)).Err() == nil {
				t.Fatal("the parser takes it")
			}
			for _, doc := range documents(t, text) {
				if compiled(t, policyfile.TestsSchema()).Validate(doc) == nil {
					t.Error("the schema takes it")
				}
			}
		})
	}
}
