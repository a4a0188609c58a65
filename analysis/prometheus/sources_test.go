package prometheus_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
)

// header answers and remembers a header of the last request.
func header(t *testing.T, name string) (*httptest.Server, func() string) {
	seen := make(chan string, 16)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get(name)
		_, _ = w.Write(recorded(t, "empty.json"))
	})
	return s, func() string { return <-seen }
}

func TestBearerTokensMayBeRotated(t *testing.T) {
	s, seen := header(t, "Authorization")
	token := secretFile(t, "first\n")
	c := client(t, analysis.Source{URL: s.URL, BearerTokenFile: token})
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(token, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := ask(t, c, "up"); r.Err != nil {
			t.Fatal(r.Err)
		}
		if got := seen(); got != "Bearer "+want {
			t.Errorf("Authorization: %s, want the token %s", got, want)
		}
	}
}

func TestCredentialsAndTenantsAreSent(t *testing.T) {
	const userHunter2 = "Basic dXNlcjpodW50ZXIy"
	for name, c := range map[string]struct {
		header, want string
		source       analysis.Source
	}{
		"basic":           {"Authorization", userHunter2, analysis.Source{BasicUser: "user", BasicPasswordFile: secretFile(t, "hunter2\n")}},
		"user in the URL": {"Authorization", userHunter2, analysis.Source{URL: "user:hunter2@"}},
		"tenant":          {"X-Scope-OrgID", "team-a", analysis.Source{Headers: map[string]string{"X-Scope-Orgid": "team-a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, seen := header(t, c.header)
			c.source.URL = "http://" + c.source.URL + strings.TrimPrefix(s.URL, "http://")
			if r := ask(t, client(t, c.source), "up"); r.Err != nil {
				t.Fatal(r.Err)
			}
			if got := seen(); got != c.want {
				t.Errorf("%s: %q, want %q", c.header, got, c.want)
			}
		})
	}
}

func TestTLSServersAreChecked(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(recorded(t, "scalar.json")) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that are meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	for name, c := range map[string]struct {
		source analysis.Source
		want   string
	}{
		"its CA is named":     {analysis.Source{URL: s.URL, CAFile: ca}, ""},
		"another name":        {analysis.Source{URL: s.URL, CAFile: ca, ServerName: "example.com"}, ""},
		"a wrong name":        {analysis.Source{URL: s.URL, CAFile: ca, ServerName: "other.test"}, "is not trusted"},
		"its CA is not named": {analysis.Source{URL: s.URL}, "is not trusted"},
		"not checked":         {analysis.Source{URL: s.URL, InsecureSkipVerify: true}, ""},
		"no such CA file":     {analysis.Source{URL: s.URL, CAFile: "testdata/none.pem"}, "none.pem"},
		"plain HTTP to TLS":   {analysis.Source{URL: strings.Replace(s.URL, "https", "http", 1)}, "prometheus answered 400"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, client(t, c.source), "up")
			if c.want == "" && r.Err != nil || c.want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), c.want)) {
				t.Errorf("error %v, want %q", r.Err, c.want)
			}
		})
	}
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	host := strings.TrimPrefix(plain.URL, "http://")
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, c := range map[string]struct{ url, want string }{
		"lost":           {"http://user:hunter2@" + host, "closed the connection"},
		"refused":        {"http://user:hunter2@" + strings.TrimPrefix(closed.URL, "http://"), "connection refused by"},
		"not TLS":        {"https://user:hunter2@" + host, "does not speak TLS"},
		"no such host":   {"http://user:hunter2@nowhere.invalid", "nowhere.invalid"},
		"no valid URL":   {"http://user:hunter2@host:port", "not valid"},
		"no URL at all":  {"user:hunter2", "not valid"},
		"another scheme": {"ftp://user:hunter2@host", "unsupported protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, client(t, analysis.Source{URL: c.url}), "up")
			if r.Err == nil || !strings.Contains(r.Err.Error(), c.want) || strings.Contains(r.Err.Error(), "hunter2") || strings.Contains(r.Err.Error(), "user") {
				t.Errorf("error %v, want %q and no credentials", r.Err, c.want)
			}
		})
	}
}

func TestMissingSecretFilesAreNamed(t *testing.T) {
	s, _ := header(t, "Authorization")
	r := ask(t, client(t, analysis.Source{URL: s.URL, BearerTokenFile: "testdata/no-token"}), "up")
	if r.Err == nil || !strings.Contains(r.Err.Error(), "testdata/no-token") {
		t.Errorf("error %v", r.Err)
	}
}

func TestEverySourceIsAskedItsOwn(t *testing.T) {
	answer := func(value string) *analysis.Source {
		return &analysis.Source{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"` + value + `"]}}`))
		}).URL}
	}
	a, b := answer("1"), answer("2")
	c := client(t, *answer("0"))
	results := c.Query(t.Context(), []analysis.Query{{Source: b, Template: query("up").Template}, query("up"), {Source: a, Template: query("up").Template}}, noon)
	var got []float64
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		got = append(got, r.Samples[0].Value)
	}
	if diff := cmp.Diff([]float64{2, 0, 1}, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestAClientWithoutASourceSaysSo(t *testing.T) {
	if r := ask(t, &prometheus.Client{}, "up"); r.Err == nil || !strings.Contains(r.Err.Error(), "no prometheus is named") {
		t.Errorf("result %+v", r)
	}
}
