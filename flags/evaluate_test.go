package flags

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func at() time.Time { return time.Unix(1_700_000_000, 0) }

func mustParse(t testing.TB, key, definition string) Flag {
	t.Helper()
	f, err := Parse(key, []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// withRule is a flag with string variants a, b, c and default "c", and the rule as its targeting.
func withRule(t testing.TB, key, rule string) Flag {
	t.Helper()
	return mustParse(t, key, `{"state":"ENABLED","defaultVariant":"c","variants":{"a":"A","b":"B","c":"C"},"targeting":`+rule+`}`)
}

const cards = `{"state":"ENABLED","defaultVariant":"wild","variants":{"clubs":"clubs","diamonds":"diamonds","hearts":"hearts",
	"spades":"spades","wild":"wild"},"targeting":%s}`

func TestFractionalAgreesWithFlagdsVectors(t *testing.T) {
	suits := `["clubs",25],["diamonds",25],["hearts",25],["spades",25]`
	byName := fmt.Sprintf(cards, `{"fractional":[{"cat":[{"var":"$flagd.flagKey"},{"var":"name"}]},`+suits+`]}`)
	shared := fmt.Sprintf(cards, `{"fractional":[{"cat":["shared-seed",{"var":"name"}]},`+suits+`]}`)
	plain := fmt.Sprintf(cards, `{"fractional":[`+suits+`]}`)
	coin := `{"state":"ENABLED","defaultVariant":"draw","variants":{"heads":"h","tails":"t","draw":"d"},
		"targeting":{"fractional":[["heads"],["tails",1]]}}`
	edges := `{"state":"ENABLED","defaultVariant":"none","variants":{"lower":"l","upper":"u","none":"n"},
		"targeting":{"fractional":[{"var":"targetingKey"},["lower",50],["upper",50]]}}`
	tests := []struct{ name, flag, definition, attribute, user, want string }{
		{"jack", "fractional-flag", byName, "name", "jack", "hearts"},
		{"queen", "fractional-flag", byName, "name", "queen", "spades"},
		{"ten", "fractional-flag", byName, "name", "ten", "clubs"},
		{"nine", "fractional-flag", byName, "name", "nine", "diamonds"},
		{"3", "fractional-flag", byName, "name", "3", "clubs"},
		{"jack on the fast path", "fractional-flag", plain, "targetingKey", "jack", "hearts"},
		{"nine on the fast path", "fractional-flag", plain, "targetingKey", "nine", "diamonds"},
		{"shared seed, seven", "any", shared, "name", "seven", "hearts"},
		{"shared seed, eight", "any", shared, "name", "eight", "diamonds"},
		{"shared seed, nine", "any", shared, "name", "nine", "clubs"},
		{"shared seed, two", "any", shared, "name", "two", "spades"},
		{"shorthand, jon", "fractional-flag-shorthand", coin, "targetingKey", "jon@company.com", "heads"},
		{"shorthand, jane", "fractional-flag-shorthand", coin, "targetingKey", "jane@company.com", "tails"},
		{"hash 0x00000000", "f", edges, "targetingKey", "ejOoVL", "lower"},
		{"hash 0x00000001", "f", edges, "targetingKey", "bY9fO-", "lower"},
		{"hash 0x7fffffff", "f", edges, "targetingKey", "SI7p-", "lower"},
		{"hash 0x80000000", "f", edges, "targetingKey", "6LvT0", "upper"},
		{"hash 0xffffffff", "f", edges, "targetingKey", "ceQdGm", "upper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParse(t, tt.flag, tt.definition).Evaluate(map[string]any{tt.attribute: tt.user}, at)
			if got.Variant != tt.want || got.Reason != ReasonTargetingMatch {
				t.Errorf("%+v, want variant %s", got, tt.want)
			}
		})
	}
}

func TestRampCountsAgreeWithFlagdsReference(t *testing.T) {
	var got []int
	for _, share := range []int{500, 2500, 5000, 10000} {
		on := 0
		for i := range 100_000 {
			if Bucket("new-checkout", fmt.Sprintf("user-%d", i)) < share {
				on++
			}
		}
		got = append(got, on)
	}
	for i, want := range []int{5000, 25000, 50000, 100_000} {
		if d := got[i] - want; d < -500 || d > 500 {
			t.Errorf("%v of 100000 users are in, want about %d", got[i], want)
		}
	}
}

func TestEvaluationFollowsFlagdsResolutionOrder(t *testing.T) {
	value := func(name, variant, reason string) Evaluation {
		return Evaluation{Value: name, Variant: variant, Reason: reason}
	}
	flag := func(fields string) string { return `{"variants":{"a":"A","c":"C","true":"T"},` + fields + `}` }
	tests := []struct {
		name, definition string
		want             Evaluation
	}{
		{"disabled has no value", flag(`"state":"DISABLED","defaultVariant":"a"`), Evaluation{Reason: ReasonDisabled}},
		{"no targeting is static", flag(`"state":"ENABLED","defaultVariant":"c"`), value("C", "c", ReasonStatic)},
		{"empty targeting is static", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{}`), value("C", "c", ReasonStatic)},
		{"null default is the caller's", flag(`"state":"ENABLED","defaultVariant":null`), Evaluation{Reason: ReasonDefault}},
		{"absent default is the caller's", flag(`"state":"ENABLED"`), Evaluation{Reason: ReasonDefault}},
		{"null is the default variant", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":[false,"a",null]}`), value("C", "c", ReasonDefault)},
		{"a name matches", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":[true,"a"]}`), value("A", "a", ReasonTargetingMatch)},
		{"true matches by its name", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"!":[false]}`), value("T", "true", ReasonTargetingMatch)},
		{"an unknown name is an error", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":[true,"z"]}`), Evaluation{Reason: ReasonError, ErrorCode: CodeGeneral}},
		{"an unknown name of a fractional too", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"fractional":[["z",1],["z",1]]}`), Evaluation{Reason: ReasonError, ErrorCode: CodeGeneral}},
		{"a fractional may have one bucket", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"fractional":[["a",1]]}`), value("A", "a", ReasonTargetingMatch)},
		{"also inside of a rule", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":[true,{"fractional":[["a",1]]}]}`), value("A", "a", ReasonTargetingMatch)},
		{"a number is an error", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"+":[1,2]}`), Evaluation{Reason: ReasonError, ErrorCode: CodeGeneral}},
		{"an unknown operator is a parse error", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"frobnicate":[1]}`), Evaluation{Reason: ReasonError, ErrorCode: CodeParse}},
		{"a misused operator is a parse error", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":"a"}`), Evaluation{Reason: ReasonError, ErrorCode: CodeParse}},
		{"an unreplaced $ref is a parse error", flag(`"state":"ENABLED","defaultVariant":"c","targeting":{"if":[{"$ref":"x"},"a"]}`), Evaluation{Reason: ReasonError, ErrorCode: CodeParse}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mustParse(t, "f", tt.definition).Evaluate(map[string]any{"targetingKey": "u"}, at)
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Evaluation{}, "Err")); d != "" {
				t.Error(d)
			}
			if (got.Err != nil) != (got.ErrorCode != "") {
				t.Errorf("code %q with error %v", got.ErrorCode, got.Err)
			}
		})
	}
}

func TestUsersWithoutTargetingKeyGetTheDefault(t *testing.T) {
	plain, slow := `{"fractional":[["a",1],["b",1]]}`, `{"fractional":[["a",1],[{"cat":["b"]},1]]}`
	for name, ctx := range map[string]map[string]any{
		"no context": nil, "none": {"email": "x"}, "empty": {"targetingKey": ""}, "not a string": {"targetingKey": 7},
	} {
		for _, rule := range []string{plain, slow} {
			t.Run(name+" "+rule, func(t *testing.T) {
				got := withRule(t, "f", rule).Evaluate(ctx, at)
				if d := cmp.Diff(Evaluation{Value: "C", Variant: "c", Reason: ReasonDefault}, got); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func TestFractionalIsNullForWhatItDoesNotUnderstand(t *testing.T) {
	for name, rule := range map[string]string{
		"half weight":             `{"fractional":[["a",0.5],["b",1]]}`,
		"weights beyond 2^31-1":   `{"fractional":[["a",2147483647],["b",1]]}`,
		"one weight beyond int32": `{"fractional":[["a",4294967296],["b",1]]}`,
		"no weight at all":        `{"fractional":[["a",0],["b",0]]}`,
		"only negative weights":   `{"fractional":[["a",-1],["b",-5]]}`,
		"empty bucket":            `{"fractional":[["a",1],[]]}`,
		"text as weight":          `{"fractional":[["a","1"],["b",1]]}`,
		"bucket is no list":       `{"fractional":[["a",1],7]}`,
		"variant is a list":       `{"fractional":[[["a"],1],["b",1]]}`,
		"nothing":                 `{"fractional":[]}`,
		"no list":                 `{"fractional":"a"}`,
		"null variant":            `{"fractional":[[null,1],[null,1]]}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := withRule(t, "f", rule).Evaluate(map[string]any{"targetingKey": "u"}, at)
			if d := cmp.Diff(Evaluation{Value: "C", Variant: "c", Reason: ReasonDefault}, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNegativeWeightsCountAsZero(t *testing.T) {
	for _, rule := range []string{`{"fractional":[["a",-5],["b",1]]}`, `{"fractional":[["a",{"-":[5]}],["b",1]]}`} {
		if got := withRule(t, "f", rule).Evaluate(map[string]any{"targetingKey": "u"}, at); got.Variant != "b" {
			t.Errorf("%s: %+v, want b", rule, got)
		}
	}
}

func TestFractionalEvaluatesItsArguments(t *testing.T) {
	ctx := map[string]any{"targetingKey": "u", "weight": 3, "tier": "gold"}
	for name, rule := range map[string]string{
		"a weight from the context":     `{"fractional":[["a",{"var":"weight"}],["b",0]]}`,
		"a variant by a nested rule":    `{"fractional":[[{"if":[{"==":[{"var":"tier"},"gold"]},"a","b"]},1],["b",0]]}`,
		"a missing bucketBy is dropped": `{"fractional":[{"var":"absent"},["a",1],["b",0]]}`,
		"one explicit bucket":           `{"fractional":["seed",["a",1]]}`,
		"fractional inside if":          `{"if":[{"==":[{"var":"tier"},"gold"]},{"fractional":[["a",1],["b",0]]},"b"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := withRule(t, "f", rule).Evaluate(ctx, at); got.Variant != "a" || got.Err != nil {
				t.Errorf("%+v, want a", got)
			}
		})
	}
}

// The fast path and JsonLogic are two implementations of one thing: they must agree user by user.
func TestFastPathAgreesWithJsonLogic(t *testing.T) {
	fast := withRule(t, "checkout", `{"fractional":[["a",13],["b",7],["c"]]}`)
	slow := withRule(t, "checkout", `{"if":[true,{"fractional":[["a",13],["b",7],["c"]]}]}`)
	if fast.split == nil || slow.split != nil {
		t.Fatal("the two flags do not take the two paths")
	}
	for i := range 2000 {
		ctx := map[string]any{"targetingKey": fmt.Sprint("user-", i)}
		if d := cmp.Diff(slow.Evaluate(ctx, at), fast.Evaluate(ctx, at)); d != "" {
			t.Fatalf("%v: %s", ctx, d)
		}
	}
}

func TestRulesSeeTheFlagsNameAndTheTime(t *testing.T) {
	f := withRule(t, "checkout", `{"if":[{"and":[{"==":[{"var":"$flagd.flagKey"},"checkout"]},{"==":[{"var":"$flagd.timestamp"},1700000000]}]},"a","b"]}`)
	if got := f.Evaluate(map[string]any{"$flagd": "forged"}, at); got.Variant != "a" {
		t.Errorf("%+v, want a", got)
	}
}

func TestRulesMayRunInManyGoroutinesAtOnce(t *testing.T) {
	f := withRule(t, "f", `{"if":[{"some":[{"map":[[1,2,3],{"*":[{"var":""},2]}]},{"==":[{"var":""},4]}]},
		{"fractional":[{"cat":["x",{"var":"targetingKey"}]},["a",1],["a",{"reduce":[[1,2],{"+":[{"var":"current"},{"var":"accumulator"}]},0]}]]},"b"]}`)
	before := string(f.Bytes())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				if got := f.Evaluate(map[string]any{"targetingKey": strconv.Itoa(i)}, at); got.Variant != "a" {
					t.Errorf("%+v, want a", got)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := string(f.Bytes()); got != before {
		t.Errorf("evaluation changed the flag to %s", got)
	}
}

func TestContextThatIsNoJSONIsAnError(t *testing.T) {
	got := withRule(t, "f", `{"if":[true,"a"]}`).Evaluate(map[string]any{"x": func() {}}, at)
	if got.ErrorCode != CodeInvalidContext || got.Err == nil {
		t.Errorf("%+v, want %s", got, CodeInvalidContext)
	}
}

func TestStringOperators(t *testing.T) {
	const rule = `{"if":[{"==":[{"%s":%s},%s]},"a","b"]}`
	for _, tt := range []struct{ name, op, args, want string }{
		{"starts with", "starts_with", `["abc","ab"]`, "true"},
		{"does not start with", "starts_with", `["abc","bc"]`, "false"},
		{"ends with", "ends_with", `[{"var":"email"},"@example.com"]`, "true"},
		{"does not end with", "ends_with", `["abc","ab"]`, "false"},
		{"starts with, one argument, is null", "starts_with", `["abc"]`, "null"},
		{"ends with, three arguments, is null", "ends_with", `["a","b","c"]`, "null"},
		{"ends with, a number, is null", "ends_with", `["a",1]`, "null"},
		{"starts with, a missing attribute, is null", "starts_with", `[{"var":"nope"},"a"]`, "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := withRule(t, "f", fmt.Sprintf(rule, tt.op, tt.args, tt.want)).Evaluate(map[string]any{"email": "q@example.com"}, at)
			if got.Variant != "a" {
				t.Errorf("%+v, want %s", got, tt.want)
			}
		})
	}
}

func TestSemVer(t *testing.T) {
	for _, tt := range []struct {
		args any
		want any
	}{
		{[]any{"1.2.3", "=", "1.2.3"}, true},
		{[]any{"v1.2.3", "=", "V1.2.3"}, true},
		{[]any{"1.2.3+build", "=", "1.2.3+other"}, true},
		{[]any{"1.2.3", "!=", "1.2.4"}, true},
		{[]any{"1.2.3", "<", "1.10.0"}, true},
		{[]any{"1.2.3-rc.1", "<", "1.2.3"}, true},
		{[]any{"1.2.3", "<=", "1.2.3"}, true},
		{[]any{"2", ">", "1.9.9"}, true},
		{[]any{1.0, "=", "1.0.0"}, true},
		{[]any{1.5, ">=", "1.5"}, true},
		{[]any{"1.2.9", "~", "1.2.0"}, true},
		{[]any{"1.3.0", "~", "1.2.0"}, false},
		{[]any{"1.9.0", "^", "1.2.0"}, true},
		{[]any{"2.0.0", "^", "1.2.0"}, false},
		{[]any{"1.2.3", "=>", "1.2.3"}, nil},
		{[]any{"not a version", "=", "1.0.0"}, nil},
		{[]any{"1.0.0", "=", "vv1"}, nil},
		{[]any{"1.0.0", "="}, nil},
		{[]any{"1.0.0", 1.0, "1.0.0"}, nil},
		{[]any{nil, "=", "1.0.0"}, nil},
		{"1.0.0", nil},
	} {
		if got := semVer(tt.args); got != tt.want {
			t.Errorf("%v is %v, want %v", tt.args, got, tt.want)
		}
	}
	f := withRule(t, "f", `{"if":[{"sem_ver":[{"var":"app"},">=","2.0"]},"a","b"]}`)
	if got := f.Evaluate(map[string]any{"app": "v2.1.0"}, at); got.Variant != "a" {
		t.Errorf("%+v, want a", got)
	}
}

func TestPanicOfTheLibraryIsAnError(t *testing.T) {
	got := withRule(t, "f", `{"reduce":[[1],{"var":"x"},[]]}`).Evaluate(nil, at)
	if got.ErrorCode != CodeParse || got.Err == nil {
		t.Errorf("%+v, want %s", got, CodeParse)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	ctx := map[string]any{"targetingKey": "user-4711"}
	for name, rule := range map[string]string{
		"static":     `{}`,
		"fractional": `{"fractional":[["a",2500],["b",7500]]}`,
		"jsonlogic":  `{"if":[{"ends_with":[{"var":"targetingKey"},"1"]},{"fractional":[["a",2500],["b",7500]]},"c"]}`,
	} {
		f := withRule(b, "shop.new-checkout", rule)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Evaluate(ctx, at)
			}
		})
	}
}
