package rules_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/serin-cd/serin/rules"
)

func TestRenderFillsInEachPlace(t *testing.T) {
	vars := rules.Vars{
		Service: "check.out", Environment: "prod", Version: `1.2+"x"\`, StableVersion: "1.1`", Variant: "o'n", Flag: "new$1",
		Step: 2, Weight: 12.5, Window: 1500 * time.Millisecond, Extra: map[string]string{"n": "-3", "e": ""},
	}
	for name, c := range map[string]struct{ text, want string }{
		"double quotes":    {`x{version="{{version}}"}`, `x{version="1.2+\"x\"\\"}`},
		"single quotes":    {`x{variant='{{ variant }}'}`, `x{variant='o\'n'}`},
		"backticks":        {"x{version=`{{version}}`}", "x{version=`1.2+\"x\"\\`}"},
		"regex":            {`x{service=~"{{service}}-.*"}`, `x{service=~"check\\.out-.*"}`},
		"regex, backticks": {"x{service!~`a|{{service}}`}", "x{service!~`a|check\\.out`}"},
		"replacement":      {`label_replace(x, "a", "${1}{{flag}}", "b", "(.*){{flag}}")`, `label_replace(x, "a", "${1}new$$1", "b", "(.*)new\\$1")`},
		"separator":        {`label_join(x, "a", "{{flag}}", "b")`, `label_join(x, "a", "new$1", "b")`},
		"range":            {`rate(x[{{window}}])`, `rate(x[1s500ms])`},
		"subquery":         {`max_over_time(x[{{window}}:{{window}}])`, `max_over_time(x[1s500ms:1s500ms])`},
		"offset":           {`x OFFSET -{{window}}`, `x OFFSET -1s500ms`},
		"offset, comment":  {"x offset # ago\n{{window}}", "x offset # ago\n1s500ms"},
		"numbers":          {`x * {{weight}} / {{step}} / {{window}}`, `x * 12.5 / 2 / 1.5`},
		"negative number":  {`x - {{vars.n}}^2`, `x - (-3)^2`},
		"number as text":   {`x{step="{{step}}",weight="{{weight}}",w="{{window}}"}`, `x{step="2",weight="12.5",w="1s500ms"}`},
		"empty var":        {`x{a="{{vars.e}}"}`, `x{a=""}`},
		"text is kept":     {"  sum ( x )#c\n\t+ 0x10\n", "  sum ( x )#c\n\t+ 0x10\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rules.MustCompile(c.text).Render(vars)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v\nwant %q", got, err, c.want)
			}
		})
	}
}

func TestRenderRefusesValuesThatCannotBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		vars rules.Vars
		want string
	}{
		"no stable version": {`x{version="{{stable_version}}"}`, rules.Vars{}, "render {{stable_version}}: there is no stable version"},
		"backtick":          {"x{version=`{{version}}`}", rules.Vars{Version: "a`b"}, "render {{version}}: \"a`b\" cannot be written between backticks: quote the string with \" instead"},
		"not UTF-8":         {`x{version="{{version}}"}`, rules.Vars{Version: "\xff"}, `render {{version}}: "\xff" is not UTF-8`},
		"no window":         {`rate(x[{{window}}])`, rules.Vars{}, "render {{window}}: a window of 0s is not positive"},
		"unknown var":       {`x{a="{{vars.a}}"}`, rules.Vars{}, `render {{vars.a}}: the policy's vars have no "a"`},
		"no number":         {`x * {{vars.a}}`, rules.Vars{Extra: map[string]string{"a": "1) or vector(1"}}, `render {{vars.a}}: "1) or vector(1" is no number`},
		"infinite":          {`x * {{vars.a}}`, rules.Vars{Extra: map[string]string{"a": "Inf"}}, `render {{vars.a}}: +Inf is not finite`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rules.MustCompile(c.text).Render(c.vars)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %q, %v\nwant error %s", got, err, c.want)
			}
		})
	}
}

func TestWindowsRenderAsPromQLDurations(t *testing.T) {
	template := rules.MustCompile(`rate(x[{{window}}])`)
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "window"))
		text, err := template.Render(rules.Vars{Window: window})
		if err != nil {
			t.Fatal(err)
		}
		got, err := model.ParseDuration(strings.TrimSuffix(strings.TrimPrefix(text, "rate(x["), "])"))
		want := max(window.Truncate(time.Millisecond), time.Millisecond)
		if err != nil || time.Duration(got) != want {
			t.Fatalf("window %s became %s: %s, %v", window, text, time.Duration(got), err)
		}
	})
}

// everyPlace has a variable in every place that takes text.
var everyPlace = []string{
	`sum(rate(x{version="{{version}}",service='{{service}}',a!="b{{version}}c"}[{{window}}]))`,
	`x{version=~"{{version}}",service!~'a|{{service}}-.*'}`,
	"x{version=`{{version}}`,service=~`{{service}}-.+`}",
	"x{a=~`({{version}}|b)`}",
	`label_replace(x{v="{{version}}"}, "a", "${1}{{service}}", "b", "(.*){{flag}}")`,
	`label_join(x, "a", '{{variant}}', "b") > {{weight}}`,
}

func TestNoValueChangesAQuery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(everyPlace).Draw(t, "template")
		nasty := rapid.StringOf(rapid.SampledFrom([]rune("ab1\"'`\\$.{}[]()|*+?^#, \n\r\t\x00\x7f\u0085\u2028\ufffd\U000F0000é=~!xu07E")))
		value := rapid.OneOf(nasty, rapid.String(), rapid.Just(`x"} or vector(1)#`)).Draw(t, "value")
		checkRender(t, text, value)
	})
}

func FuzzRender(f *testing.F) {
	for _, text := range append(everyPlace, `x * {{vars.x}} ^ {{step}}`, `x offset -{{window}} / -{{vars.x}}`, `x{a=~"\\Q{{version}}\\E[{{version}}]"}`) {
		for _, value := range []string{`x"} or vector(1)#`, "`", `\`, `\\"`, "a\nb", "{{version}}", "$1", "\x00", "\ufffd", "\xff", `.*`, "-5", "0x1p-2"} {
			f.Add(text, value)
		}
	}
	f.Fuzz(func(t *testing.T, text, value string) { checkRender(t, text, value) })
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkRender renders a harmless and a hostile value, and compares the parsed queries: only the values may differ, and
// they must be the hostile value.
func checkRender(t failer, text, hostile string) {
	t.Helper()
	template, err := rules.Compile(text)
	if err != nil {
		return
	}
	const tame = "tame.1"
	want := values(tame)
	want.Extra["x"] = "1"
	got := values(hostile)
	tameText, err := template.Render(want)
	if err != nil {
		if strings.Contains(text, "vars.") {
			return // of another name, or between backticks
		}
		t.Fatalf("render %q: %v", text, err)
	}
	gotText, err := template.Render(got)
	if err != nil {
		if hostile != "" && utf8.ValidString(hostile) && !strings.Contains(text, "`") && !template.Uses("vars.x") {
			t.Fatalf("render %q with %q: %v", text, hostile, err)
		}
		return
	}
	if diff := cmp.Diff(shape(t, tameText, nil), shape(t, gotText, nil)); diff != "" {
		t.Fatalf("%q became %q: the query has changed (-want +got):\n%s", text, gotText, diff)
	}
	if template.Uses("vars.x") || strings.Contains(text, "tame") {
		return
	}
	if diff := cmp.Diff(shape(t, tameText, &swap{tame, hostile}), shape(t, gotText, &swap{})); diff != "" {
		t.Fatalf("%q became %q: a value is not the one given (-want +got):\n%s", text, gotText, diff)
	}
}

// swap is a value to be replaced by another.
type swap struct{ from, to string }

// shape lists the nodes of a query. With a swap it also lists the values that variables may change, and swaps in them,
// escaped for what they are used as.
func shape(t failer, text string, with *swap) []string {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Fatalf("%q does not parse: %v", text, err)
	}
	var out []string
	add := func(value string, escape func(string) string) {
		switch {
		case with == nil:
		case with.from == "":
			out = append(out, value)
		default:
			out = append(out, strings.ReplaceAll(value, escape(with.from), escape(with.to)))
		}
	}
	plain := func(s string) string { return s }
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		if e, ok := node.(parser.Expr); ok && isNumber(e) {
			if len(path) == 0 || !isNumber(path[len(path)-1]) {
				out = append(out, "number")
			}
			return nil
		}
		if node == nil {
			return nil
		}
		out = append(out, fmt.Sprintf("%T depth %d", node, len(path)))
		switch n := node.(type) {
		case *parser.VectorSelector:
			for _, m := range n.LabelMatchers {
				out = append(out, n.Name+" "+m.Name+m.Type.String())
				if strings.HasSuffix(m.Type.String(), "~") {
					add(m.Value, regexp.QuoteMeta)
				} else {
					add(m.Value, plain)
				}
			}
		case *parser.StringLiteral:
			call := path[len(path)-1].(*parser.Call)
			switch {
			case call.Func.Name == "label_replace" && call.Args[2] == parser.Expr(n):
				add(n.Val, func(s string) string { return strings.ReplaceAll(s, "$", "$$") })
			case call.Func.Name == "label_replace" && call.Args[4] == parser.Expr(n):
				add(n.Val, regexp.QuoteMeta)
			default:
				add(n.Val, plain)
			}
		case *parser.Call:
			out = append(out, n.Func.Name)
		case *parser.BinaryExpr:
			out = append(out, n.Op.String())
		case *parser.AggregateExpr:
			out = append(out, n.Op.String()+strings.Join(n.Grouping, ","))
		case *parser.MatrixSelector:
			out = append(out, n.Range.String())
		}
		return nil
	})
	return out
}

// isNumber reports whether e is a number, whatever its sign and parentheses: negative values are put in parentheses.
func isNumber(n parser.Node) bool {
	switch e := n.(type) {
	case *parser.NumberLiteral:
		return true
	case *parser.ParenExpr:
		return isNumber(e.Expr)
	case *parser.UnaryExpr:
		return isNumber(e.Expr)
	}
	return false
}

func TestARegexMatchesTheVeryValue(t *testing.T) {
	template := rules.MustCompile(`x{version=~"{{version}}"}`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(1, -1, -1).Draw(t, "value")
		text, err := template.Render(rules.Vars{Version: value})
		if err != nil {
			t.Fatal(err)
		}
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		m := expr.(*parser.VectorSelector).LabelMatchers[0]
		if !m.Matches(value) || m.Matches(value+"x") || m.Matches("x"+value) {
			t.Fatalf("%s does not match exactly %q", text, value)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	template := rules.MustCompile(`sum(increase(http_requests_total{service="{{service}}",version="{{version}}",code=~"5.."}[{{window}}]))`)
	vars := rules.Vars{Service: "checkout", Version: "1.42.0-rc.1", Window: 90 * time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(vars); err != nil {
			b.Fatal(err)
		}
	}
}
