package ofrep_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/ofrep"
)

const path = "/ofrep/v1/evaluate/flags"

func TestFlagIsAnsweredWithItsValueVariantReasonAndRevision(t *testing.T) {
	w := serve(t, nil)
	w.board.put("production.shop.checkout", feature)
	g := w.post(t, path+"/shop.checkout", asking("ada"))
	const want = `{"key":"shop.checkout","value":false,"reason":"STATIC","variant":"off","metadata":{"serinRevision":1,"team":"shop"}}`
	if g.status != 200 || g.body != want || g.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %s\nwant %s", g.status, g.header.Get("Content-Type"), g.body, want)
	}
}

func TestEachUserGetsTheirBucket(t *testing.T) {
	w := serve(t, nil)
	want := w.board.ramp(t, "production.checkout", 2500)
	for _, user := range []string{"", "ada", "bob", "eve", "joe", "kim", "lee", "max", "zoe"} {
		due := want.For("checkout", user)
		if m := w.post(t, path+"/checkout", asking(user)).json(t); m["variant"] != due || m["value"] != (due == flags.On) {
			t.Errorf("%q gets %v, %q is due", user, m, due)
		}
	}
}

func TestSingleAnswersAreByTheBook(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) { o.MaxBody = 1000 })
	for key, definition := range map[string]string{"a/b": feature, "feature": feature, "disabled": disabled, "orphan": orphan, "broken": broken, "garbage": garbage} {
		w.board.put("production."+key, definition)
	}
	w.board.put("staging.there", feature)
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		contains   string
	}{
		"no body is a user nothing is known of": {path + "/feature", "", nil, 200, `"value":false`},
		"an empty context too":                  {path + "/feature", `{"context":{}}`, nil, 200, `"value":false`},
		"and none":                              {path + "/feature", `{}`, nil, 200, `"value":false`},
		"and null":                              {path + "/feature", `{"context":null}`, nil, 200, `"value":false`},
		"no content type: the Go provider":      {path + "/feature", asking("u"), []string{"Content-Type", ""}, 200, `"value":false`},
		"a charset: the npm provider":           {path + "/feature", asking("u"), []string{"Content-Type", "application/json; charset=utf-8"}, 200, `"value":false`},
		"a slash in the key as it is":           {path + "/a/b", asking("u"), nil, 200, `"key":"a/b"`},
		"a slash in the key escaped":            {path + "/a%2Fb", asking("u"), nil, 200, `"key":"a/b"`},
		"a disabled flag has no value":          {path + "/disabled", asking("u"), nil, 200, `{"key":"disabled","reason":"DISABLED","metadata"`},
		"a flag without a default has none":     {path + "/orphan", asking("u"), nil, 200, `{"key":"orphan","reason":"DEFAULT","metadata"`},
		"another environment":                   {"/env/staging" + path + "/there", asking("u"), nil, 200, `"value":false`},
		"an unknown flag":                       {path + "/nobody", asking("u"), nil, 404, `{"key":"nobody","errorCode":"FLAG_NOT_FOUND"`},
		"a flag of another environment":         {path + "/there", asking("u"), nil, 404, `"errorCode":"FLAG_NOT_FOUND"`},
		"an odd key":                            {path + "/..//%00", asking("u"), nil, 404, `"errorCode":"FLAG_NOT_FOUND"`},
		"targeting that names no variant":       {path + "/broken", asking("u"), nil, 400, `{"key":"broken","errorCode":"GENERAL"`},
		"a definition that is none":             {path + "/garbage", asking("u"), nil, 400, `{"key":"garbage","errorCode":"PARSE_ERROR"`},
		"a body that is no JSON":                {path + "/feature", `{"context"`, nil, 400, `{"key":"feature","errorCode":"PARSE_ERROR"`},
		"a body with more behind it":            {path + "/feature", `{} {}`, nil, 400, `"errorCode":"PARSE_ERROR"`},
		"a body that is a list":                 {path + "/feature", `[]`, nil, 400, `"errorCode":"PARSE_ERROR"`},
		"a context that is a text":              {path + "/feature", `{"context":"u"}`, nil, 400, `"errorCode":"INVALID_CONTEXT"`},
		"a targeting key that is a number":      {path + "/feature", `{"context":{"targetingKey":7}}`, nil, 400, `"errorCode":"INVALID_CONTEXT"`},
		"a body that is too large":              {path + "/feature", asking(strings.Repeat("u", 1000)), nil, 413, `{"key":"feature","errorCode":"INVALID_CONTEXT"`},
		"a form":                                {path + "/feature", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, `"errorCode":"PARSE_ERROR"`},
		"a path that is none":                   {"/ofrep/v2/evaluate/flags", "", nil, 404, "no such path"},
		"a path with more":                      {"/ofrep/v1/evaluate/flagsy", "", nil, 404, "no such path"},
		"an environment that is none":           {"/env/a.b" + path + "/c", "", nil, 404, "no such path"},
	} {
		t.Run(name, func(t *testing.T) {
			if g := w.post(t, c.path, c.body, c.headers...); g.status != c.status || !strings.Contains(g.body, c.contains) {
				t.Errorf("%d %s, want %d and %s", g.status, g.body, c.status, c.contains)
			}
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	w := serve(t, nil)
	for _, p := range []string{path, path + "/a", "/ofrep/v1/events"} {
		if g := w.do(t, http.MethodDelete, p, ""); g.status != 405 || g.header.Get("Allow") == "" {
			t.Errorf("%s: %d, Allow %q", p, g.status, g.header.Get("Allow"))
		}
	}
}

func TestAllFlagsOfTheEnvironmentAreAnsweredInOrder(t *testing.T) {
	w := serve(t, nil)
	for key, definition := range map[string]string{"b": disabled, "a": feature, "d": broken, "c": garbage} {
		w.board.put("production."+key, definition)
	}
	w.board.put("staging.e", feature)
	for _, p := range []string{path, path + "/"} {
		g := w.post(t, p, asking("u"))
		m := g.json(t)
		all, _ := m["flags"].([]any)
		if g.status != 200 || len(all) != 4 || g.header.Get("ETag") == "" {
			t.Fatalf("%d %s", g.status, g.body)
		}
		for i, want := range []map[string]any{{"key": "a", "value": false}, {"key": "b", "reason": "DISABLED"}, {"key": "c", "errorCode": "PARSE_ERROR"}, {"key": "d", "errorCode": "GENERAL"}} {
			for k, v := range want {
				if one, _ := all[i].(map[string]any); one[k] != v {
					t.Errorf("%v, want %s %v", one, k, v)
				}
			}
		}
		if !strings.Contains(g.body, `"eventStreams":[{"type":"sse","endpoint":{"requestUri":"/ofrep/v1/events"}}]`) {
			t.Error(g.body)
		}
	}
	if g := w.post(t, "/env/staging"+path, ""); !strings.Contains(g.body, `"requestUri":"/env/staging/ofrep/v1/events"`) || !strings.Contains(g.body, `"key":"e"`) {
		t.Error(g.body)
	}
	if g := w.post(t, "/env/empty"+path, ""); !strings.HasPrefix(g.body, `{"flags":[],`) {
		t.Error(g.body)
	}
}

func TestEtagIsOfTheUsersAnswer(t *testing.T) {
	w := serve(t, nil)
	w.board.ramp(t, "production.checkout", 5000)
	in, out := "", ""
	for _, u := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if flags.Bucket("checkout", u) < 5000 {
			in = u
		} else {
			out = u
		}
	}
	tag := w.post(t, path, asking(in)).header.Get("ETag")
	for _, header := range []string{tag, `"x", W/` + tag, "*"} {
		if g := w.post(t, path, asking(in), "If-None-Match", header); g.status != 304 || g.body != "" || g.header.Get("ETag") != tag {
			t.Errorf("%s: %d %q, want 304 and no body", header, g.status, g.body)
		}
	}
	if g := w.post(t, path, asking(out), "If-None-Match", tag); g.status != 200 {
		t.Errorf("another user: %d, want 200", g.status)
	}
	w.board.put("production.checkout", feature)
	if g := w.post(t, path, asking(in), "If-None-Match", tag); g.status != 200 || g.header.Get("ETag") == tag {
		t.Errorf("after the kill: %d, want 200 with a new tag", g.status)
	}
}

func TestTokensAreNeededWhereThereAreSome(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) {
		o.Tokens = func() ([]string, error) { return []string{"new-token", "old-token", ""}, nil }
	})
	w.board.put("production.a", feature)
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"a bearer":           {[]string{"Authorization", "Bearer new-token"}, 200},
		"a bearer, rotating": {[]string{"Authorization", "bearer old-token"}, 200},
		"an API key":         {[]string{"X-API-Key", "new-token"}, 200},
		"nothing":            {nil, 401},
		"an empty bearer":    {[]string{"Authorization", "Bearer "}, 401},
		"another":            {[]string{"Authorization", "Bearer new-token2"}, 401},
		"another scheme":     {[]string{"Authorization", "Basic new-token"}, 401},
	} {
		g := w.post(t, path+"/a", "", c.headers...)
		if g.status != c.status || c.status == 401 && g.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
		if strings.Contains(g.body, "-token") {
			t.Errorf("%s: the answer holds a token: %s", name, g.body)
		}
	}
}

func TestTokensThatCannotBeReadRefuseAllAndSayNoPath(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) {
		o.Tokens = func() ([]string, error) { return nil, http.ErrNoLocation }
	})
	if g := w.post(t, path+"/a", "", "X-API-Key", "x"); g.status != 500 || !strings.Contains(g.body, `"errorDetails":"the server cannot read its tokens"`) {
		t.Errorf("%d %s", g.status, g.body)
	}
}

func TestOnlyListedPagesMayReadAnswers(t *testing.T) {
	w := serve(t, func(o *ofrep.Options) {
		o.Origins = []string{"https://shop.example"}
		o.Tokens = func() ([]string, error) { return []string{"t"}, nil }
	})
	pre := w.do(t, http.MethodOptions, path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	for _, header := range []string{"Authorization", "Content-Type", "If-None-Match", "X-API-Key"} {
		if pre.status != 204 || !strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), header) {
			t.Errorf("preflight: %d %v, want %s", pre.status, pre.header, header)
		}
	}
	if g := w.post(t, path, "", "Origin", "https://shop.example"); g.status != 401 || g.header.Get("Access-Control-Allow-Origin") != "https://shop.example" ||
		!strings.Contains(g.header.Get("Access-Control-Expose-Headers"), "ETag") || g.header.Get("Vary") != "Origin" {
		t.Errorf("a listed page cannot read its error: %v", g.header)
	}
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		if g := w.do(t, method, path, "", "Origin", "https://evil.example"); g.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another page may read: %v", method, g.header)
		}
	}
	if _, err := ofrep.NewHandler(ofrep.Options{Flags: newBoard(), Environment: "e", Origins: []string{"https://shop.example/"}}); err == nil {
		t.Error("an origin with a path is accepted, and never matches")
	}
}

func TestRateIsLimitedForEachAddressAndSaysWhenToComeBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	w := serve(t, func(o *ofrep.Options) { o.Rate, o.Now = 2, func() time.Time { return now } })
	w.board.put("production.a", feature)
	for range 2 {
		if g := w.post(t, path+"/a", ""); g.status != 200 {
			t.Fatalf("%d %s", g.status, g.body)
		}
	}
	g := w.post(t, path+"/a", "")
	if g.status != 429 || g.header.Get("Retry-After") != "1" || !strings.Contains(g.body, `"key":"a"`) {
		t.Errorf("%d, Retry-After %q, %s", g.status, g.header.Get("Retry-After"), g.body)
	}
	now = now.Add(time.Second)
	if g := w.post(t, path+"/a", ""); g.status != 200 {
		t.Errorf("a second later: %d", g.status)
	}
}

func TestEnvironmentMustBeOne(t *testing.T) {
	for _, environment := range []string{"", "a.b", "a/b", "*"} {
		if _, err := ofrep.NewHandler(ofrep.Options{Flags: newBoard(), Environment: environment}); err == nil {
			t.Errorf("%q is accepted", environment)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	board := newBoard()
	board.ramp(b, "production.shop.checkout", 2500)
	h, err := ofrep.NewHandler(ofrep.Options{Flags: board, Environment: "production"})
	if err != nil {
		b.Fatal(err)
	}
	body := strings.NewReader(asking("ada"))
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, path+"/shop.checkout", body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = body.Seek(0, 0)
		h.ServeHTTP(w, req)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(status int) {
	if status != http.StatusOK {
		panic(status)
	}
}
