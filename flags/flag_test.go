package flags

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadDefinitionsAreRefusedWithTheReason(t *testing.T) {
	for name, tt := range map[string]struct{ definition, says string }{
		"no JSON":                   {`nope`, "invalid character"},
		"null":                      {`null`, "needs an object"},
		"a list":                    {`[]`, "cannot unmarshal array"},
		"no state":                  {`{"variants":{"a":1}}`, "state is missing"},
		"unknown state":             {`{"state":"ON","variants":{"a":1}}`, "needs ENABLED or DISABLED"},
		"no variants":               {`{"state":"ENABLED"}`, "variants is missing"},
		"empty variants":            {`{"state":"ENABLED","variants":{}}`, "at least one"},
		"mixed variants":            {`{"state":"ENABLED","variants":{"a":1,"b":"x"}}`, "several types"},
		"a list as variant":         {`{"state":"ENABLED","variants":{"a":[1]}}`, `variant "a"`},
		"null as variant":           {`{"state":"ENABLED","variants":{"a":null}}`, `variant "a"`},
		"unknown default":           {`{"state":"ENABLED","variants":{"a":1},"defaultVariant":"b"}`, "not one of the variants"},
		"default of another type":   {`{"state":"ENABLED","variants":{"a":1},"defaultVariant":1}`, "defaultVariant"},
		"targeting is a list":       {`{"state":"ENABLED","variants":{"a":1},"targeting":[]}`, "targeting"},
		"targeting is null":         {`{"state":"ENABLED","variants":{"a":1},"targeting":null}`, "targeting"},
		"metadata is nested":        {`{"state":"ENABLED","variants":{"a":1},"metadata":{"a":{}}}`, `metadata "a"`},
		"metadata is null inside":   {`{"state":"ENABLED","variants":{"a":1},"metadata":{"a":null}}`, `metadata "a"`},
		"metadata is not an object": {`{"state":"ENABLED","variants":{"a":1},"metadata":7}`, "needs an object"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("my-flag", []byte(tt.definition)); err == nil ||
				!strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "my-flag") {
				t.Errorf("%v, want it to name the flag and say %q", err, tt.says)
			}
		})
	}
}

func TestUnknownFieldsSurviveWhateverTheirOrder(t *testing.T) {
	f := mustParse(t, "f", `{"z":1.0,"variants":{"v1":"v1"},"metadata":{"n":12345678901234567890,"s":"<b>"},"a":"<&>",
		"defaultVariant":"v1","state":"ENABLED","m":{"deep":[null,{"x":1e400}]}}`)
	got := string(edit(t, f, v2(by(1), 500), Kill{Fence: by(2)}).Bytes())
	for _, want := range []string{`"z":1.0`, `"a":"<&>"`, `"m":{"deep":[null,{"x":1e400}]}`, `"n":12345678901234567890`, `"s":"<b>"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lost %s", got, want)
		}
	}
}

func TestKindsOfFlags(t *testing.T) {
	for definition, want := range map[string]Kind{
		featureAtRest: Feature,
		versionAtRest: Version,
		`{"state":"ENABLED","variants":{"on":true,"off":false,"maybe":true}}`: Feature,
		`{"state":"ENABLED","variants":{"on":true}}`:                          Other,
		`{"state":"ENABLED","variants":{"a":1.5}}`:                            Other,
		`{"state":"ENABLED","variants":{"a":{}}}`:                             Other,
	} {
		if got := mustParse(t, "f", definition).Kind(); got != want {
			t.Errorf("%s is %q, want %q", definition, got, want)
		}
	}
	f := mustParse(t, "f", featureAtRest)
	if v, ok := f.Variant(On); v != true || !ok {
		t.Errorf("variant on is %v, %t", v, ok)
	}
	if _, ok := f.Variant("maybe"); ok {
		t.Error("there is a variant maybe")
	}
	if (Flag{}).Kind() != Other || (Flag{}).Exists() || (Flag{}).Enabled() {
		t.Error("the zero Flag is something")
	}
}

func TestStoreKeys(t *testing.T) {
	key := StoreKey("production", "shop.checkout")
	if env, k := SplitKey(key); key != "production.shop.checkout" || env != "production" || k != "shop.checkout" {
		t.Errorf("%s is %s and %s", key, env, k)
	}
	for _, bad := range []string{"", ".a", "a.", "a..b", "a b", "a*", "a>", "ä", strings.Repeat("x", 201)} {
		if ValidKey(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if err := ValidKey("shop.new-checkout_2/=x"); err != nil {
		t.Error(err)
	}
}

const document = `{"$schema":"https://flagd.dev/schema/v0/flags.json","flags":{"b":` + featureAtRest + `,"a":` + versionAtRest + `},
	"$evaluators":{"isQA":{"ends_with":[{"var":"email"},"@example.com"]}},"metadata":{"flagSetId":"shop"},"x":[1.0]}`

func TestDocumentKeepsEverythingButTheFlagThatIsSet(t *testing.T) {
	d, err := ParseDocument([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, d.Keys()); diff != "" {
		t.Error(diff)
	}
	f, err := d.Flag("a")
	if err != nil {
		t.Fatal(err)
	}
	next := d.With(edit(t, f, v2(by(1), 500)))
	want, got := decoded(t, d.Bytes()), decoded(t, next.Bytes())
	want["flags"].(map[string]any)["a"] = decoded(t, edit(t, f, v2(by(1), 500)).Bytes())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if before, _ := d.Flag("a"); !cmp.Equal(before.Bytes(), f.Bytes()) {
		t.Error("With changed the document it was called on")
	}
	if _, err := d.Flag("c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing flag: %v", err)
	}
}

func TestDocumentNamesEveryBadFlag(t *testing.T) {
	_, err := ParseDocument([]byte(`{"flags":{"a":{},"b":{"state":"ENABLED","variants":{"x":1},"defaultVariant":"y"},"c":` + featureAtRest + `}}`))
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v, want a and b named", err)
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"flags":null}`, `{"flags":[]}`} {
		if _, err := ParseDocument([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	if got := string(Document{}.With(mustParse(t, "a", featureAtRest)).Bytes()); !strings.HasPrefix(got, `{"flags":{"a":`) {
		t.Errorf("an empty document becomes %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{versionAtRest, featureAtRest, `{"state":"ENABLED","variants":{"a":1},"targeting":{"fractional":["x",["a",1]]}}`, `null`, `{"metadata":{"serinSeq":-1}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, definition string) {
		flag, err := Parse("f", []byte(definition))
		if err != nil {
			return
		}
		again, err := Parse("f", flag.Bytes())
		if err != nil || !cmp.Equal(again.Bytes(), flag.Bytes()) {
			t.Fatalf("%s does not read back: %v", flag.Bytes(), err)
		}
		flag.Evaluate(map[string]any{"targetingKey": "u"}, at)
		if killed, err := (Kill{Fence: by(1)}).Edit(flag); err == nil {
			if v := killed.Evaluate(map[string]any{"targetingKey": "u"}, at); v.Variant != killed.Mark().Base {
				t.Fatalf("%s serves %+v after a kill", flag.Bytes(), v)
			}
		}
	})
}
