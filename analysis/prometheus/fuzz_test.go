package prometheus_test

import (
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/serin-cd/serin/analysis"
)

// FuzzAnyAnswerIsAResultOrAnError sends what no server should: it must neither panic nor pass for data.
func FuzzAnyAnswerIsAResultOrAnError(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(200, recorded(f, filepath.Base(file)))
	}
	f.Add(422, recorded(f, "execution.json"))
	f.Add(200, []byte(`{"status":"success","data":{"resultType":"scalar","result":null}}`))
	type reply struct {
		code int
		body []byte
	}
	var next atomic.Pointer[reply]
	s := serve(f, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(next.Load().code)
		_, _ = w.Write(next.Load().body)
	})
	c := client(f, analysis.Source{URL: s.URL})
	f.Fuzz(func(t *testing.T, code int, answer []byte) {
		if code < 200 || code > 599 || code == 204 || code == 304 {
			return
		}
		next.Store(&reply{code, answer})
		r := ask(t, c, "up")
		if r.Err != nil && len(r.Samples) > 0 || r.Err == nil && code/100 != 2 {
			t.Errorf("%d %q gave %+v", code, answer, r)
		}
	})
}
