package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slowPolicy has a rule that selects slow series.
const slowPolicy = `service: checkout
prometheus: {url: %s, timeout: 200ms}
traffic: {version_flag: checkout-version}
rules:
  - name: a
    query: sum(rate(a{service="{{service}}",version="{{version}}"}[{{window}}]))
    max: 1
`

// checkOnline checks a policy against a server whose answers to queries are given; nil: it never answers.
func checkOnline(t *testing.T, answer func(query string) []byte) (code int, said string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := []byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"version":"7"},"value":[1795176000,"1"]}]}}`)
		if strings.HasPrefix(r.FormValue("query"), "sum(") {
			body = answer(r.FormValue("query"))
		}
		if body == nil {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, slowPolicy, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := Env{Stdout: &out, Stderr: &out, Getenv: func(string) string { return "" }, Now: time.Now}
	return run(t.Context(), []string{"check", "--online", file}, env), out.String()
}

func TestAnAnswerThatTakesTooLongIsAWarning(t *testing.T) {
	code, said := checkOnline(t, func(string) []byte { return nil })
	if code != exitOK || !strings.Contains(said, ":6:12: warning: rules[0].query: 127.0.0.1") || !strings.Contains(said, "did not answer within 200ms: the rule could not be judged") {
		t.Errorf("status %d:\n%s", code, said)
	}
}

func TestPrometheusWarningsAreToldWithTheRule(t *testing.T) {
	code, said := checkOnline(t, func(string) []byte {
		return []byte(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a store is away"]}`)
	})
	if code != exitOK || strings.Count(said, "warning:") != 1 || !strings.Contains(said, ":6:12: warning: rules[0].query: Prometheus warns: a store is away") {
		t.Errorf("status %d:\n%s", code, said)
	}
}

func TestARefusedQueryIsAnErrorWithTheQueryAsSent(t *testing.T) {
	code, said := checkOnline(t, func(string) []byte {
		return []byte(`{"status":"error","errorType":"execution","error":"too many samples"}`)
	})
	if code != exitNo || !strings.Contains(said, "too many samples") || !strings.Contains(said, `cure: ask it in Prometheus: sum(rate(a{service="checkout",version="7"}[2m]))`) {
		t.Errorf("status %d:\n%s", code, said)
	}
}

func TestTheSilenceOfARuleWhoseSeriesAreThereIsToldOnce(t *testing.T) {
	code, said := checkOnline(t, func(string) []byte {
		return []byte(`{"status":"success","data":{"resultType":"vector","result":[]}}`)
	})
	if code != exitOK || strings.Count(said, "warning:") != 1 || !strings.Contains(said, "Prometheus answers nothing, which is no data") {
		t.Errorf("status %d:\n%s", code, said)
	}
}
