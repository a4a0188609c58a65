package yamldoc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

func TestAPlaceInsideTextIsFoundInEveryStyle(t *testing.T) {
	const mark = "HERE"
	for name, src := range map[string]string{
		"plain":                       "a: sum(HERE)\n",
		"plain, not ASCII":            "a: süß HERE\n",
		"plain, many lines":           "a: one\n  two\n\n  three HERE four\n",
		"plain in a list":             "- a:\n    - one\n- a: two HERE\n",
		"single quotes":               "a: 'it''s HERE'\n",
		"single quotes, many lines":   "a: 'one\n\n  it''s HERE'\n",
		"double quotes":               `a: "x{a=\"b\",c=\u00e9\x41\t HERE}"` + "\n",
		"double quotes, space escape": `a: "x \t HERE \tb"` + "\n",
		"double quotes, many lines":   "a: \"one \\\n   two\n\n   HERE\"\n",
		"literal":                     "a: |\n  one\n    two HERE\n  three\n",
		"literal, first line":         "a: |-\n  HERE\n",
		"literal, blank lines":        "a: |+\n\n\n   one\n\n   HERE\n\n",
		"literal, indented more":      "a: |2\n     one\n    HERE\n",
		"literal, Windows":            "a: |\r\n  one\r\n  two HERE\r\n",
		"folded":                      "a: >-\n  one\n  two\n\n  three HERE\n",
		"folded, more indented":       "a: >\n  one\n    two\n    HERE\n  three\n",
		"anchor and tag":              "a: &x !!str one HERE\n",
		"anchor, quoted":              "a: &x 'one HERE'\n",
		"anchor, literal":             "a: &x |\n  one HERE\n",
		"comment after the indicator": "a: | # why\n  one HERE\n",
		"flow":                        "a: {b: [one, 'two HERE']}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, docs := yamldoc.Parse("f.yaml", []byte(src))
			if len(docs) != 1 {
				t.Fatalf("%d documents", len(docs))
			}
			v, text := textWith(docs[0], mark)
			got := v.At(strings.Index(text, mark))
			at := strings.Index(src, mark)
			line := strings.Count(src[:at], "\n") + 1
			column := len([]rune(src[strings.LastIndexByte(src[:at], '\n')+1:at])) + 1
			if want := fmt.Sprintf("f.yaml:%d:%d", line, column); got.String() != want {
				t.Errorf("%q of %q: got %s, want %s", mark, text, got, want)
			}
		})
	}
}

// textWith finds the text that contains mark.
func textWith(v yamldoc.Value, mark string) (yamldoc.Value, string) {
	var inner []yamldoc.Value
	switch {
	case v.IsList():
		inner = v.List()
	case v.IsMap():
		m := v.Map(v.Keys()...)
		for _, key := range v.Keys() {
			inner = append(inner, m.Get(key))
		}
	default:
		if text, _ := v.String(); strings.Contains(text, mark) {
			return v, text
		}
	}
	for _, in := range inner {
		if found, text := textWith(in, mark); text != "" {
			return found, text
		}
	}
	return yamldoc.Value{}, ""
}

func TestTheEndOfABlockIsTheEndOfItsText(t *testing.T) {
	_, docs := yamldoc.Parse("f.yaml", []byte("a: |\n  one\n  two(\n\nb: 1\n"))
	v := docs[0].Map("a", "b").Get("a")
	text, _ := v.String()
	if got := v.At(len(text)).String(); got != "f.yaml:3:7" {
		t.Errorf("got %s", got)
	}
}

func TestAnAliasIsItsOwnPlace(t *testing.T) {
	_, docs := yamldoc.Parse("f.yaml", []byte("a: &x some text\nb: *x\n"))
	v := docs[0].Map("a", "b").Get("b")
	if text, ok := v.String(); !ok || text != "some text" {
		t.Errorf("got %q", text)
	}
	if got := v.At(5).String(); got != "f.yaml:2:4" {
		t.Errorf("got %s", got)
	}
}

func TestFindingsSayWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ src, want string }{
		"unknown key":     {"txet: a\n", `f.yaml:1:1: error: unknown key "txet"; did you mean "text"?`},
		"twice":           {"text: a\ntext: b\n", `f.yaml:2:1: error: key "text" is written twice; keep one of them`},
		"merge":           {"<<: {text: a}\n", "f.yaml:1:1: error: merge keys (<<) are not read; write the keys out"},
		"key of a list":   {"[a]: b\n", "f.yaml:1:1: error: a key is a list, needs text; known keys: text, word, flag, for, share, list"},
		"alias as a key":  {"text: &t word\n*t : a\n", ``},
		"no map":          {"- a\n", "f.yaml:1:1: error: is a list, needs a mapping; write it as `key: value` lines; known keys: text, word, flag, for, share, list"},
		"empty":           {"text:\n", "f.yaml:1:6: error: text: is empty; write a value, or remove the key"},
		"spaces":          {"text: ' '\n", "f.yaml:1:7: error: text: is empty; write a value, or remove the key"},
		"no text":         {"text: [a]\n", "f.yaml:1:7: error: text: is a list, needs text; write one value"},
		"no list":         {"list: a\n", "f.yaml:1:7: error: list: is \"a\", needs a list; write it as a list: `- item` lines or [item, item]"},
		"word":            {"word: aa\n", `f.yaml:1:7: error: word: "aa" is not one of a, b; did you mean "a"?`},
		"bool":            {"flag: yes\n", `f.yaml:1:7: error: flag: "yes" is not one of true, false; write true or false`},
		"duration":        {"for: 10\n", `f.yaml:1:6: error: for: "10" is no duration; write a number and a unit, as in 30s, 5m, 1h30m`},
		"number":          {"share: Inf\n", `f.yaml:1:8: error: share: "Inf" is no number; write a number, as in 0.05, or a percentage, as in 5%`},
		"syntax":          {"text: [a\n", "f.yaml:1:7: error: not valid YAML: did not find expected ',' or ']'; close the bracket or brace that is open here"},
		"unknown anchor":  {"text: *b\n", "f.yaml:1:7: error: not valid YAML: unknown anchor 'b' referenced; write the value out, or define it before, as in &name"},
		"a tab":           {"text: a\nlist:\n\t- b\n", "f.yaml:3:1: error: not valid YAML: found character that cannot start any token; put text that begins with %, @ or ` into quotes; indent with spaces, not with tabs"},
		"no UTF-8":        {"text: a\nword: \"b\xff\"\n", "f.yaml:2:9: error: not valid YAML: invalid leading UTF-8 octet; save the file as UTF-8"},
		"unquoted braces": {"text: {{service}}\n", "f.yaml:1:7: error: text: is a mapping, needs text; put text that begins with { into single quotes, or write one value"},
		"second document": {"text: a\n---\ntxet: b\n", `f.yaml:3:1: error: unknown key "txet"; did you mean "text"?`},
		"nothing wrong":   {"text: a\nword: b\nflag: true\nfor: 1h30m\nshare: 7%\nlist: [1]\n", ``},
		"no document":     {"", ``},
	} {
		t.Run(name, func(t *testing.T) {
			file, docs := yamldoc.Parse("f.yaml", []byte(c.src))
			for _, doc := range docs {
				read(doc)
			}
			if diff := cmp.Diff(c.want, file.Findings.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// read reads a document in every way there is.
func read(doc yamldoc.Value) {
	m := doc.Map("text", "word", "flag", "for", "share", "list")
	m.Get("text").String()
	m.Get("word").Word("a", "b")
	m.Get("flag").Bool()
	m.Get("for").Duration()
	m.Get("share").Number()
	m.Get("list").List()
}

func TestValuesAreRead(t *testing.T) {
	_, docs := yamldoc.Parse("f.yaml", []byte("share: 7%\nfor: 1d\nflag: 'true'\n"))
	m := docs[0].Map("share", "for", "flag")
	share, _ := m.Get("share").Number()
	long, _ := m.Get("for").Duration()
	flag, _ := m.Get("flag").Bool()
	if share != 0.07 || long != 24*time.Hour || !flag {
		t.Errorf("got %v %v %v", share, long, flag)
	}
	if _, ok := m.Get("none").Number(); ok || m.Get("none").Path() != "none" {
		t.Error("an absent value was read")
	}
}

func TestCyclesAndAliasBombsEnd(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c < 'z'; c++ {
		fmt.Fprintf(&bomb, "%c: &%c [*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c]\n", c, c, c-1)
	}
	for name, src := range map[string]string{
		"cyclic list": "text: &x [*x]\nlist: *x\n",
		"cyclic map":  "&x {text: *x, list: *x}\n",
		"cyclic key":  "&x {*x : 1}\n",
		"bomb":        bomb.String() + "list: *y\n",
		"deep":        "list: " + strings.Repeat("[", 20000) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, docs := yamldoc.Parse("f.yaml", []byte(src))
			for _, doc := range docs {
				read(doc)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, src := range []string{
		"text: a\n---\nword: b\n", "text: |2-\n   a\n\n  b\n", "text: >+\n a\n  b\n", `text: "a\x41\u0041\
  b"`, "text: 'a''b\n\n c'", "text: &x !!str a\nword: *x\n<<: *x\n", "? [a]\n: b\n", "text: &x [*x]", "\ufefftext: a\r\nword: b\r",
		"text: a\u0085b\u2028c", "%YAML 1.1\n---\ntext: !!binary aGk=\n...\n",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		file, docs := yamldoc.Parse("f.yaml", []byte(src))
		for _, doc := range docs {
			read(doc)
			for _, v := range texts(doc, 0) {
				checkPlaces(t, src, v)
			}
		}
		for _, finding := range file.Findings {
			if finding.Line < 1 || finding.Column < 1 {
				t.Errorf("finding without a place: %+v", finding)
			}
		}
	})
}

// texts lists what is text in a value, to some depth: a cyclic document has no end.
func texts(v yamldoc.Value, depth int) []yamldoc.Value {
	var inner, out []yamldoc.Value
	keys := v.Keys()
	m := v.Map(keys...)
	for _, key := range keys {
		inner = append(inner, m.Get(key))
	}
	if v.IsList() {
		inner = v.List()
	}
	if len(inner) == 0 {
		return []yamldoc.Value{v}
	}
	for _, in := range inner {
		if depth < 3 {
			out = append(out, texts(in, depth+1)...)
		}
	}
	return out
}

// checkPlaces asks for the place of every byte of a text, and compares the letters there.
func checkPlaces(t *testing.T, src string, v yamldoc.Value) {
	lines := strings.Split(src, "\n")
	text, _ := v.String()
	for i := range min(len(text), 50) {
		at, c := v.At(i), rune(text[i])
		if c < 'a' || c > 'z' || at == v.Pos() || strings.ContainsAny(src, "\r\u0085\u2028\u2029\ufeff\\") {
			continue // no letter, or unknown, or counted otherwise by the YAML library, or an escape
		}
		if line := []rune(lines[at.Line-1]); at.Column > len(line) || line[at.Column-1] != c {
			t.Errorf("byte %d of %q, %q, is said to be at %s, where %q is", i, text, c, at, string(line))
		}
	}
}
