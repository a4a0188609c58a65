package prometheus_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-cd/serin/analysis"
)

func TestAnswersAreDecoded(t *testing.T) {
	pod := func(name string) map[string]string { return map[string]string{"pod": name, "version": "v2"} }
	three := []analysis.Sample{{Value: 3}}
	for file, want := range map[string]analysis.Result{
		"vector.json":    {Samples: []analysis.Sample{{Labels: pod("checkout-7c9d"), Value: 0.18226600985221675}, {Labels: pod("checkout-x2k1"), Value: math.NaN()}}},
		"empty.json":     {Samples: []analysis.Sample{}},
		"scalar.json":    {Samples: []analysis.Sample{{Value: math.Inf(1)}}},
		"histogram.json": {Samples: []analysis.Sample{{Labels: map[string]string{"job": "checkout"}, Histogram: true}}},
		"warnings.json":  {Samples: three, Warnings: []string{"No StoreAPIs matched for this query"}},
		"infos.json":     {Samples: three},
	} {
		t.Run(file, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(recorded(t, file)) })
			got := ask(t, client(t, analysis.Source{URL: s.URL}), "up")
			want.Expr = "up"
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnusableAnswersSayWhy(t *testing.T) {
	body := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
	}
	file := func(status int, name string) http.HandlerFunc { return body(status, string(recorded(t, name))) }
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a matrix":             {file(200, "matrix.json"), "the answer is a matrix: an instant vector or a scalar is needed"},
		"a string":             {file(200, "string.json"), "is not Prometheus' JSON: unexpected value type"},
		"a partial answer":     {file(200, "partial.json"), "the answer is partial: not all storage nodes answered"},
		"a bad query":          {file(400, "bad_data.json"), `bad_data: invalid parameter "query": 1:5: parse error: unexpected end of input`},
		"a failed query":       {file(422, "execution.json"), "execution: found duplicate series for the match group {} on the right hand-side of the operation"},
		"a slow query":         {file(503, "timeout.json"), "timeout: query timed out in expression evaluation"},
		"an error with 200":    {file(200, "bad_data.json"), `bad_data: invalid parameter "query": 1:5: parse error: unexpected end of input`},
		"503":                  {body(503, "<html>Service Unavailable</html>"), "prometheus answered 503"},
		"401":                  {body(401, "nope"), "prometheus answered 401: check the credentials"},
		"403":                  {body(403, "nope"), "prometheus answered 403: check the credentials"},
		"404":                  {body(404, "404 page not found"), "prometheus answered 404: check the URL's path"},
		"a page":               {body(200, "<html>Sign in</html>"), "is not Prometheus' JSON: invalid character '<'"},
		"nothing":              {body(200, ""), "is not Prometheus' JSON: unexpected end of JSON input"},
		"another JSON":         {body(200, "{}"), "the answer has no result"},
		"null data":            {body(200, `{"status":"success","data":null}`), "the answer"},
		"null element":         {body(200, `{"status":"success","data":{"resultType":"vector","result":[null]}}`), "the answer has an element without a value"},
		"no value":             {body(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}`), "the answer has an element without a value"},
		"a null scalar":        {body(200, `{"status":"success","data":{"resultType":"scalar","result":null}}`), "is not Prometheus' JSON"},
		"a null value":         {body(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":null}]}}`), "the answer has an element without a value"},
		"a value of no number": {body(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}`), "is not Prometheus' JSON"},
		"control characters":   {body(400, `{"status":"error","errorType":"bad_data","error":"a\u001b[31m\nb"}`), "bad_data: a [31m b"},
		"a long error":         {body(400, `{"status":"error","errorType":"bad_data","error":"`+strings.Repeat("x", 5000)+`"}`), "x…"},
		"a cut answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"status":`))
		}, "was cut off"},
		"a chunked cut answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"status":`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "was cut off"},
		"a lost connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "closed the connection"},
		"an endless answer": {func(w http.ResponseWriter, _ *http.Request) {
			for line := []byte(strings.Repeat(" ", 1<<16)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, "the answer is longer than 16 MiB"},
		"a redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://u:hunter2@login.example/sso?token=hunter2")
			w.WriteHeader(http.StatusFound)
		}, "prometheus answered 302, a redirect to https://login.example/sso: name the final URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.answer)
			r := ask(t, client(t, analysis.Source{URL: s.URL}), "up")
			if r.Err == nil || !strings.Contains(r.Err.Error(), c.want) || strings.Contains(r.Err.Error(), "hunter2") {
				t.Errorf("error %q, want %q in it", r.Err, c.want)
			}
			if len(r.Samples) > 0 {
				t.Errorf("samples %v beside an error", r.Samples)
			}
		})
	}
}

func TestTheQueryArrivesAsItIs(t *testing.T) {
	got := make(chan map[string]string, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got <- map[string]string{"method": r.Method, "path": r.URL.Path, "query": r.PostForm.Get("query"),
			"time": r.PostForm.Get("time"), "timeout": r.PostForm.Get("timeout"), "agent": r.UserAgent()}
		_, _ = w.Write(recorded(t, "empty.json"))
	})
	const text = `sum(rate(x{path=~"/a|b\\+&=%"}[2m]))`
	c := client(t, analysis.Source{URL: s.URL + "/prometheus/", Timeout: 1500 * time.Millisecond})
	c.Query(t.Context(), []analysis.Query{query(text)}, noon.Add(125*time.Millisecond))
	want := map[string]string{"method": "POST", "path": "/prometheus/api/v1/query", "query": text, "time": "1795176000.125", "timeout": "2s", "agent": "serin"}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestServersWithoutPOSTAreAskedByGET(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Query().Get("query") == "up" {
			_, _ = w.Write(recorded(t, "scalar.json"))
		}
	})
	if r := ask(t, client(t, analysis.Source{URL: s.URL}), "up"); r.Err != nil || len(r.Samples) != 1 {
		t.Errorf("result %+v", r)
	}
}
