package flags

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// handWritten is a document as a person keeps it: order, spaces, and numbers of their own.
const handWritten = `{
  "$schema": "https://flagd.dev/schema/v0/flags.json",
  "flags": {
    "zebra": { "variants": {"a": 1.50, "b": 2e0}, "state": "ENABLED", "x": [ 1 ] },
    "checkout": {
      "state": "ENABLED",
      "defaultVariant": "off",
      "variants": { "on": true, "off": false },
      "x-owner": "a<b>"
    },
    "alpha": {"state":"DISABLED","variants":{"one":"1"}}
  },
  "metadata": {"flagSetId": "shop", "team": "web"}
}
`

func TestDocumentChangesOnlyTheFieldsThatDiffer(t *testing.T) {
	d := mustDocument(t, handWritten)
	f, err := d.Flag("checkout")
	if err != nil {
		t.Fatal(err)
	}
	next := d.With(edit(t, f, on(by(1), 500)))
	want := strings.Replace(handWritten, `"x-owner": "a<b>"`, `"x-owner": "a<b>",
      "metadata": {"serinGeneration":1,"serinRollout":"r-1","serinSeq":0,"serinShare":500,"serinVariant":"on","serinBase":"off"},
      "targeting": {"fractional":[["on",500],["off",9500]]}`, 1)
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(next.Bytes()), "\n"), cmp.FilterPath(func(p cmp.Path) bool { return true }, cmp.Comparer(sameButMetadata))); diff != "" {
		t.Error(diff)
	}
	off := next.With(edit(t, edit(t, f, on(by(1), 500)), Kill{Fence: by(1).At(2)}))
	if got := string(off.Bytes()); !strings.Contains(got, "\n      \"targeting\": {}\n    },\n    \"alpha\"") {
		t.Errorf("after the kill:\n%s", got)
	}
}

// sameButMetadata lets the flag's mark be any: other tests look at it.
func sameButMetadata(a, b string) bool {
	const lead = `      "metadata": {"serin`
	return a == b || strings.HasPrefix(a, lead) && strings.HasPrefix(b, lead)
}

func TestDocumentTakesANewFlagBehindTheOthers(t *testing.T) {
	f := mustParse(t, "new", featureAtRest)
	for before, after := range map[string]string{
		`{"flags":{}}`:                          `{"flags":{"new":` + string(f.Bytes()) + `}}`,
		`{"flags": { } , "x":1}`:                `{"flags": {"new":` + string(f.Bytes()) + `} , "x":1}`,
		`{"flags":{"a":` + versionAtRest + `}}`: `{"flags":{"a":` + versionAtRest + `,"new":` + string(f.Bytes()) + `}}`,
	} {
		if diff := cmp.Diff(after, string(mustDocument(t, before).With(f).Bytes())); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDocumentTakesTheLastOfTwoFlagsWithOneKey(t *testing.T) {
	d := mustDocument(t, `{"flags":{"f":`+versionAtRest+`,"f":`+featureAtRest+`}}`)
	f, err := d.Flag("f")
	if err != nil || f.Kind() != Feature {
		t.Fatalf("kind %q, %v", f.Kind(), err)
	}
	again := mustDocument(t, string(d.With(edit(t, f, on(by(1), 500))).Bytes()))
	if f, _ := again.Flag("f"); f.Mark().Share != 500 {
		t.Errorf("the edit is not what is read: %s", again.Bytes())
	}
}

func TestDocumentIsRefusedForAnEmptyEvaluatorAsByFlagd(t *testing.T) {
	for _, bad := range []string{`"$evaluators":[]`, `"$evaluators":{"a":{}}`, `"$evaluators":{"a":"b"}`, `"metadata":{"a":{}}`, `"metadata":1`} {
		if _, err := ParseDocument([]byte(`{"flags":{},` + bad + `}`)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

const shared = `{"flags":{
	"whole":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"$ref":"staff"},"metadata":{"team":"checkout"}},
	"inside":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"isQA"},"on",null]}},
	"unknown":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"nobody"},"on",null]}},
	"nested":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"$ref":"nests"},"on",null]}},
	"split":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"$ref":"half"}}},
	"$evaluators":{"isQA":{"ends_with":[{"var":"email"},"@example.com"]},"staff":{"if":[{"==":[{"var":"role"},"staff"]},"on",null]},
		"half":{"fractional":[["on",1],["off",1]]},"nests":{"and":[true,{"$ref":"isQA"}]}},
	"metadata":{"flagSetId":"shop","team":"web"}}`

func TestResolvedFlagEvaluatesTheDocumentsEvaluators(t *testing.T) {
	d := mustDocument(t, shared)
	qa := map[string]any{TargetingKey: "ana", "email": "ana@example.com", "role": "staff"}
	for key, want := range map[string]Evaluation{
		"whole": {Variant: On, Reason: ReasonTargetingMatch}, "inside": {Variant: On, Reason: ReasonTargetingMatch},
		"unknown": {Reason: ReasonError, ErrorCode: CodeParse}, "nested": {Reason: ReasonError, ErrorCode: CodeParse},
		"split": {Variant: mustParse(t, "split", `{"state":"ENABLED","variants":{"on":true,"off":false},"targeting":{"fractional":[["on",1],["off",1]]}}`).Evaluate(qa, at).Variant, Reason: ReasonTargetingMatch},
	} {
		f, err := d.Resolve(key)
		if err != nil {
			t.Fatal(err)
		}
		got := f.Evaluate(qa, at)
		if got.Variant != want.Variant || got.Reason != want.Reason || got.ErrorCode != want.ErrorCode {
			t.Errorf("%s: %+v, want %+v", key, got, want)
		}
		if plain, _ := d.Flag(key); plain.Evaluate(qa, at).ErrorCode != CodeParse {
			t.Errorf("%s: the flag as written evaluates to %+v", key, plain.Evaluate(qa, at))
		}
	}
	if _, err := d.Resolve("missing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
}

func TestResolvedFlagHasTheDocumentsMetadataUnderItsOwn(t *testing.T) {
	f, err := mustDocument(t, shared).Resolve("whole")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"flagSetId": "shop", "team": "checkout"}, f.Metadata()); diff != "" {
		t.Error(diff)
	}
}

func TestEditsOfAResolvedFlagKeepTheReferenceAndItsOwnMetadata(t *testing.T) {
	d := mustDocument(t, shared)
	plain, _ := d.Flag("inside")
	resolved, _ := d.Resolve("inside")
	if diff := cmp.Diff(string(plain.Bytes()), string(resolved.Bytes())); diff != "" {
		t.Error(diff)
	}
	if got := string(resolved.Targeting()); got != `{"if":[{"$ref":"isQA"},"on",null]}` {
		t.Errorf("targeting %s", got)
	}
	killed := edit(t, resolved, Kill{Fence: by(1)})
	if m := killed.Metadata(); m["flagSetId"] != nil || m["serinRollout"] != "r-1" {
		t.Errorf("metadata after a kill %v", m)
	}
}

func TestDocumentNamesWhatTheSchemaRefuses(t *testing.T) {
	d := mustDocument(t, strings.Replace(shared, `"half":{"fractional":[["on",1],["off",1]]}`, `"half":{"fraction":[]}`, 1))
	err := d.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{`evaluator "half": flagd knows no operator "fraction"`, `flag "whole"`, `flag "unknown": targeting: $ref names "nobody"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v\nlacks %s", err, part)
		}
	}
	if strings.Contains(err.Error(), `"inside"`) {
		t.Errorf("%v\nnames a good flag", err)
	}
	if err := mustDocument(t, handWritten).Validate(); err != nil {
		t.Errorf("a good document: %v", err)
	}
}

func mustDocument(t testing.TB, text string) Document {
	t.Helper()
	d, err := ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whatever the document, setting a flag leaves everything else as it was, and the result reads back.
func FuzzDocumentWith(f *testing.F) {
	for _, seed := range []string{handWritten, shared, document, `{"flags":{}}`, `{"flags":{"f":` + featureAtRest + `}}`, `{"flags":{"A":{"state":"ENABLED","variants":{"a":1}},"\u0066":` + featureAtRest + `}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDocument([]byte(text))
		if err != nil {
			return
		}
		set, err := Parse("f", []byte(`{"state":"ENABLED","variants":{"new":true},"metadata":{"a":"<&>"}}`))
		if err != nil {
			t.Fatal(err)
		}
		next, err := ParseDocument(d.With(set).Bytes())
		if err != nil {
			t.Fatalf("%q becomes %q: %v", text, d.With(set).Bytes(), err)
		}
		if got, err := next.Flag("f"); err != nil || !cmp.Equal(got.Bytes(), set.Bytes()) {
			t.Fatalf("%q: the flag reads back as %q, %v", text, got.Bytes(), err)
		}
		var before, after map[string]json.RawMessage
		_, _ = json.Unmarshal([]byte(text), &before), json.Unmarshal(next.Bytes(), &after)
		for key, raw := range before {
			if key != "flags" && string(raw) != string(after[key]) {
				t.Fatalf("%q: %s became %q", text, key, after[key])
			}
		}
		for key, raw := range d.flags {
			if key != "f" && string(raw) != string(next.flags[key]) {
				t.Fatalf("%q: flag %s became %q", text, key, next.flags[key])
			}
		}
	})
}
