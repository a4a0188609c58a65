//go:build e2e

package flagclients

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	schemas "github.com/open-feature/flagd-schemas/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-cd/serin/flags"
)

// flagdSchema is flagd's own, for the documents that providers read.
func flagdSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for name, text := range map[string]string{"flags": schemas.FlagSchema, "targeting": schemas.TargetingSchema} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("https://flagd.dev/schema/v0/"+name+".json", doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("https://flagd.dev/schema/v0/flags.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bySchema and byUs are the two verdicts.
func bySchema(s *jsonschema.Schema, text string) error {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

func byUs(text string) error {
	d, err := flags.ParseDocument([]byte(text))
	if err != nil {
		return err
	}
	return d.Validate()
}

// holding is a document with one flag that has the targeting.
func holding(targeting string) string {
	return `{"flags":{"f":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":` + targeting + `}},"$evaluators":{"x":{"==":[1,1]},"some-ref":{"==":[1,1]}}}`
}

// Where Serin and the schema (v0.2.13) differ, and why.
func TestVerdictsDifferFromTheSchemaOnlyWhereNamed(t *testing.T) {
	s := flagdSchema(t)
	for text, why := range map[string]string{
		holding(`{"fractional":[["on",0.5],["off",1]]}`):                                     "flagd makes the whole rule null for it",
		holding(`{"fractional":[["on",-1],["off",1]]}`):                                      "newer schemas refuse it",
		holding(`{"fractional":[["on",1],["of",1]]}`):                                        "every evaluation would be an error",
		holding(`{"fractional":[["on",2147483647],["off",1]]}`):                              "flagd makes the whole rule null for it",
		holding(`{"if":[true,[{"upper":["a"]}]]}`):                                           "the schema does not look into lists",
		holding(`{"if":[{"==":[1,1],"!=":[1,2]},"on"]}`):                                     "JsonLogic knows one operator a rule",
		holding(`{"if":[{"$ref":"y"},"on"]}`):                                                "flagd answers PARSE_ERROR",
		`{"flags":{"f":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"gone"}}}`: "flagd refuses the whole document",
		`{"flags":{},"$evaluators":{"x":{}}}`:                                                "flagd refuses the whole document",
	} {
		if schema, us := bySchema(s, text), byUs(text); schema != nil || us == nil {
			t.Errorf("%s (%s):\nschema %v\nSerin  %v", text, why, schema, us)
		}
	}
	for text, why := range map[string]string{
		holding(`{"fractional":[["on",{"if":[true,1,2]}],["off",1]]}`): "newer schemas take a rule as a weight, and so do flagd and Serin",
	} {
		if schema, us := bySchema(s, text), byUs(text); schema == nil || us != nil {
			t.Errorf("%s (%s):\nschema %v\nSerin  %v", text, why, schema, us)
		}
	}
}

// The schema's own cases, and thousands of rules grown at random.
func TestVerdictsAreTheSchemasOtherwise(t *testing.T) {
	s := flagdSchema(t)
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-feature/flagd-schemas").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, own := filepath.Join(strings.TrimSpace(string(out)), "json", "test"), 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		text := string(data)
		if strings.Contains(path, "targeting") {
			var fields map[string]json.RawMessage
			if json.Unmarshal(data, &fields) == nil {
				delete(fields, "$schema")
				data, _ = json.Marshal(fields)
			}
			text = holding(string(data))
		}
		schema, us := bySchema(s, text), byUs(text)
		if (schema == nil) != (us == nil) {
			t.Errorf("%s:\nschema %v\nSerin  %v", path, schema, us)
		}
		own++
		return err
	})
	if err != nil || own < 20 {
		t.Fatalf("%d cases of the schema's, %v", own, err)
	}
	good, bad := 0, 0
	r := grower{rand.New(rand.NewPCG(1, 2))}
	for range 5000 {
		text := holding(r.rule(3))
		schema, us := bySchema(s, text), byUs(text)
		if (schema == nil) != (us == nil) {
			t.Fatalf("%s:\nschema %v\nSerin  %v", text, schema, us)
		}
		if us == nil {
			good++
		} else {
			bad++
		}
	}
	t.Logf("%d cases of the schema's, %d grown rules that both take, %d that both refuse", own, good, bad)
	if good < 1000 || bad < 1000 {
		t.Error("the rules are too much alike")
	}
}

// grower makes rules, most of them right. It leaves out what the other test names.
type grower struct{ *rand.Rand }

func (g grower) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g grower) list(n int, item func() string) string {
	all := make([]string, max(n, 0))
	for i := range all {
		all[i] = item()
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (g grower) arg(depth int) string {
	if depth <= 0 || g.IntN(3) == 0 {
		return g.pick(`null`, `true`, `1.5`, `"on"`, `"a"`, `[]`, `["x",2]`, `{"$ref":"x"}`, `{"var":"email"}`)
	}
	return g.rule(depth - 1)
}

// off is now and then one more or one less.
func (g grower) off(n int) int {
	if g.IntN(20) == 0 {
		return n + g.IntN(3) - 1
	}
	return n
}

func (g grower) rule(depth int) string {
	arg := func() string { return g.arg(depth) }
	op := g.pick("if", "and", "+", "cat", "==", "!==", ">", "%", "in", "all", "<", "<=", "substr", "*", "reduce", "!", "!!", "var", "missing", "missing_some",
		"starts_with", "ends_with", "sem_ver", "fractional")
	if g.IntN(100) == 0 {
		op = g.pick("upper", "fraction", "startsWith", "")
	}
	args := ""
	switch op {
	case "<", "<=", "substr":
		args = g.list(g.off(2+g.IntN(2)), arg)
	case "*":
		args = g.list(g.off(2+g.IntN(3)), arg)
	case "reduce":
		args = g.list(g.off(3), arg)
	case "!", "!!":
		args = g.pick(arg(), `[1]`, `[[]]`)
	case "var":
		args = g.pick(`"a"`, `""`, `"$flagd.timestamp"`, `"$flagd.flagKey"`, `["a",1]`, `1`, `"$flagd.other"`)
	case "missing":
		args = g.pick(`["a"]`, `[]`, `["a","b"]`, `"a"`, `[1]`)
	case "missing_some":
		args = g.pick(`[1,["a"]]`, `[1,["a"]]`, `[1,"a"]`, `["1",["a"]]`, `[1]`)
	case "starts_with", "ends_with":
		args = g.list(g.off(2), func() string {
			return g.pick(`"a"`, `"b"`, `{"var":"email"}`, g.rule(depth-1), g.pick(`"c"`, `1`, `null`))
		})
	case "sem_ver":
		version := func() string {
			return g.pick(`"1.2.3"`, `"0.0.1-rc.1+b"`, `{"var":"v"}`, g.pick(`"2.0.0"`, `"1.2"`, `"v1.2.3"`, `1`))
		}
		args = fmt.Sprintf("[%s,%s,%s]", version(), g.pick(`"="`, `"^"`, `"~"`, `"!="`, `">="`, g.pick(`"<"`, `"=>"`)), version())
	case "fractional":
		args = g.list(g.off(2+g.IntN(2)), func() string {
			return g.pick(`["on",5]`, `["off",0]`, `["on"]`, `["off",95]`, g.pick(`["on",1]`, `[]`, `["on","5"]`, `[1,1]`, `"on"`, `["on",1,1]`))
		})
		if g.IntN(3) == 0 {
			args = "[" + g.rule(depth-2) + "," + args[1:]
		}
	default:
		n := 2
		if op == "if" || op == "and" || op == "+" || op == "cat" {
			n = 1 + g.IntN(4)
		}
		args = g.list(g.off(n), arg)
	}
	return fmt.Sprintf("{%q:%s}", op, args)
}
