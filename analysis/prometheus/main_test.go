package prometheus_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/rules"
)

func TestMain(m *testing.M) {
	if os.Getenv(stubMark) != "" {
		serveStub()
		return
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// recorded is an answer of testdata.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// client asks the source by default, and keeps nothing after the test.
func client(t testing.TB, source analysis.Source) *prometheus.Client {
	t.Helper()
	c := &prometheus.Client{Default: &source}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func query(text string) analysis.Query { return analysis.Query{Template: rules.MustCompile(text)} }

func ask(t testing.TB, c *prometheus.Client, text string) analysis.Result {
	t.Helper()
	return c.Query(t.Context(), []analysis.Query{query(text)}, noon)[0]
}

// secretFile writes a file and returns its path.
func secretFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
