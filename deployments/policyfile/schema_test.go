package policyfile_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/policyfile"
	"github.com/serin-cd/serin/rules"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(policyfile.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fits(t *testing.T, text string) {
	t.Helper()
	s := compiled(t)
	for _, doc := range documents(t, text) {
		if err := s.Validate(doc); err != nil {
			t.Errorf("the schema refuses a valid policy: %v\n%s", err, text)
		}
	}
}

func TestTheSchemaRefusesWhatIsObviouslyWrong(t *testing.T) {
	tests := map[string]string{
		"no service":              "traffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]",
		"no rules":                "service: a\ntraffic: {version_flag: k}",
		"an unknown key":          "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]\nrecover: 5m",
		"an unknown key of rules": "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, windows: 5m}]",
		"no mover":                "service: a\ntraffic: {}\nrules: [{name: a, query: up, min: 1}]",
		"two movers":              "service: a\ntraffic: {version_flag: k, flag: k}\nrules: [{name: a, query: up, min: 1}]",
		"observe: false":          "service: a\ntraffic: {observe: false}\nrules: [{name: a, query: up, min: 1}]",
		"a number for a duration": "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, for: 60}]",
		"a phrase for a duration": "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1}]\nrecovery: five minutes",
		"a word outside its list": "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, min: 1, on_fail: pass}]",
		"a weight above 100":      "service: a\ntraffic: {version_flag: k}\nsteps: [5, 120]\nrules: [{name: a, query: up, min: 1}]",
		"two forms of a rule":     "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up, bad: x, total: y, max: 1}]",
		"a ratio above 1":         "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, bad: x, total: y, max: 5}]",
		"no limit":                "service: a\ntraffic: {version_flag: k}\nrules: [{name: a, query: up}]",
		"an alert without expr":   "service: a\ntraffic: {version_flag: k}\nrules: [{alert: A, for: 1m}]",
		"rules as a mapping":      "service: a\ntraffic: {version_flag: k}\nrules: {name: a, query: up, min: 1}",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if _, findings := deployments.ParsePolicies("p.yaml", []byte(text)); findings.Err() == nil {
				t.Fatal("the parser takes it")
			}
			for _, doc := range documents(t, text) {
				if compiled(t).Validate(doc) == nil {
					t.Error("the schema takes it")
				}
			}
		})
	}
}

func TestTheSchemaTakesAsManyRulesAsTheParser(t *testing.T) {
	if got := readSchema(t).Properties["rules"].MaxItems; got != rules.MaxRules {
		t.Errorf("%d rules at most, want %d", got, rules.MaxRules)
	}
}

// schema is what tests look at of a schema.
type schema struct {
	Description          string
	Properties           map[string]schema
	AdditionalProperties any
	Items                *schema
	MaxItems             int
	AnyOf                []schema
}

func readSchema(t *testing.T) schema {
	t.Helper()
	var s schema
	if err := json.Unmarshal(policyfile.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// mappings lists the keys of each mapping that has fixed ones, by its path.
func (s schema) mappings(path string, into map[string][]string) {
	for _, alternative := range s.AnyOf {
		alternative.mappings(path, into)
	}
	if s.Items != nil {
		s.Items.mappings(path+"[]", into)
	}
	if s.AdditionalProperties != false { // free keys, or a condition on keys that are listed elsewhere
		return
	}
	for key, p := range s.Properties {
		into[path] = append(into[path], key)
		p.mappings(strings.TrimPrefix(path+"."+key, "."), into)
	}
	slices.Sort(into[path])
}

func TestTheTypesHaveTheKeysThatTheParserKnows(t *testing.T) {
	want := knownKeys(t)
	got := map[string][]string{}
	readSchema(t).mappings("", got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of each mapping (-parser +types):\n%s", diff)
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	var look func(path string, s schema)
	look = func(path string, s schema) {
		for _, alternative := range s.AnyOf {
			look(path, alternative)
		}
		if s.Items != nil {
			look(path+"[]", *s.Items)
		}
		if s.AdditionalProperties != false {
			return
		}
		for key, p := range s.Properties {
			if !strings.HasSuffix(p.Description, ".") {
				t.Errorf("%s.%s: %q is no sentence", path, key, p.Description)
			}
			look(path+"."+key, p)
		}
	}
	look("", readSchema(t))
}
