package analysis

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

func parse(t *testing.T, text string) (*Source, []string) {
	t.Helper()
	f, docs := yamldoc.Parse("policy.yaml", []byte(text))
	var section yamldoc.Value
	if len(docs) > 0 {
		section = docs[0].Map("prometheus").Get("prometheus")
	}
	s := ParseSource(section)
	var found []string
	for _, finding := range f.Findings {
		found = append(found, finding.String())
	}
	return s, found
}

func TestSourcesAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want *Source
	}{
		"none":        {"{}", nil},
		"a plain URL": {"prometheus: http://prom:9090/", &Source{URL: "http://prom:9090"}},
		"with a path": {"prometheus: https://mimir/prometheus", &Source{URL: "https://mimir/prometheus"}},
		"a mapping": {`
prometheus:
  url: https://prom.example
  timeout: 3s
  bearer_token_file: /run/token
  tls: {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, server_name: prom, insecure_skip_verify: false}
  headers: {x-scope-orgid: team-a}`, &Source{URL: "https://prom.example", Timeout: 3 * time.Second, BearerTokenFile: "/run/token",
			CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem", ServerName: "prom", Headers: map[string]string{"X-Scope-Orgid": "team-a"}}},
		"basic": {"prometheus: {url: http://p, basic_auth: {username: u, password_file: /run/p}}", &Source{URL: "http://p", BasicUser: "u", BasicPasswordFile: "/run/p"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := parse(t, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" || len(found) > 0 {
				t.Errorf("source (-want +got):\n%s\nfindings: %s", diff, strings.Join(found, "\n"))
			}
		})
	}
}

func TestTheChaptersExamplesAreRight(t *testing.T) {
	chapter, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(chapter), "```yaml\n")[1:]
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		if s, found := parse(t, text); s == nil || len(found) > 0 {
			t.Errorf("%s\ngave %+v and %v", text, s, found)
		}
	}
	if len(blocks) != 2 {
		t.Errorf("%d examples", len(blocks))
	}
}

func TestFaultsInSourcesHaveAPlaceAndACure(t *testing.T) {
	for name, c := range map[string]struct{ text, place, message, cure string }{
		"no URL":            {"prometheus: prom:9090", ":1:13:", "is no http or https URL", "http://host:9090"},
		"no host":           {"prometheus: http://", ":1:13:", "is no http or https URL", "http://host:9090"},
		"a password":        {"prometheus: http://u:hunter2@prom", ":1:13:", "a user or password stands in the URL", "basic_auth"},
		"broken and secret": {"prometheus: 'http://u:hunter2@prom:x'", ":1:13:", "is no http or https URL", "http://host:9090"},
		"a query":           {"prometheus: http://prom?x=1", ":1:13:", "query or a fragment", "https://host/prefix"},
		"the API's path":    {"prometheus: http://prom/api/v1/query", ":1:13:", "not that of its API", "remove /api/v1"},
		"a list":            {"prometheus: [http://prom]", ":1:13:", "needs text", ""},
		"missing url":       {"prometheus: {timeout: 3s}", ":1:13:", "has no url", "add `url:"},
		"unknown key":       {"prometheus: {url: http://p, timout: 3s}", ":1:29:", `unknown key "timout"`, `did you mean "timeout"?`},
		"zero timeout":      {"prometheus: {url: http://p, timeout: 0s}", ":1:38:", "must be above 0", "as in 10s"},
		"inline token":      {"prometheus: {url: http://p, bearer_token: hunter2}", ":1:29:", `unknown key "bearer_token"`, "name a file: `bearer_token_file:"},
		"inline password":   {"prometheus: {url: http://p, basic_auth: {username: u, password: hunter2, password_file: f}}", ":1:55:", `unknown key "password"`, "name a file: `password_file:"},
		"inline key":        {"prometheus: {url: https://p, tls: {key: hunter2}}", ":1:36:", `unknown key "key"`, "name a file: `key_file:"},
		"half a pair":       {"prometheus: {url: https://p, tls: {cert_file: c}}", ":1:35:", "needs its key", "both"},
		"half a login":      {"prometheus: {url: http://p, basic_auth: {username: u}}", ":1:41:", "needs both", "password_file:"},
		"two logins":        {"prometheus: {url: http://p, bearer_token_file: f, basic_auth: {username: u, password_file: p}}", ":1:51:", "both set the Authorization header", "keep one"},
		"secret header":     {"prometheus: {url: http://p, headers: {authorization: hunter2}}", ":1:39:", "header Authorization carries a secret", "name a file"},
		"our header":        {"prometheus: {url: http://p, headers: {Content-Type: x}}", ":1:39:", "is set by Serin", "remove it"},
		"bad header":        {"prometheus: {url: http://p, headers: {'a b': x}}", ":1:39:", "is no header name", "X-Scope-OrgID"},
		"split header":      {`prometheus: {url: http://p, headers: {a: "x\ny"}}`, ":1:42:", "control character", "one line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, found := parse(t, c.text)
			all := strings.Join(found, "\n")
			if len(found) != 1 || !strings.Contains(all, c.place) || !strings.Contains(all, c.message) || !strings.Contains(all, c.cure) {
				t.Errorf("findings:\n%s\nwant one at %s: %s; %s", all, c.place, c.message, c.cure)
			}
			if strings.Contains(all, "hunter2") {
				t.Errorf("a finding repeats a secret: %s", all)
			}
		})
	}
}

func TestSourcesThatAreAskedAlikeHaveOneID(t *testing.T) {
	a := Source{URL: "http://prom:9090", Headers: map[string]string{"X-Scope-Orgid": "a", "B": "c"}}
	same := Source{URL: "http://prom:9090/", Timeout: DefaultTimeout, Headers: map[string]string{"b": "c", "x-scope-orgid": "a"}}
	if a.ID() != same.ID() {
		t.Errorf("%s and %s differ", a.ID(), same.ID())
	}
	ids := map[string]bool{a.ID(): true}
	for _, other := range []Source{{URL: "http://prom:9090"}, {URL: "http://prom:9091"}, {URL: "http://prom:9090", BearerTokenFile: "t"},
		{URL: "http://prom:9090", Headers: map[string]string{"X-Scope-Orgid": "b", "B": "c"}}, {URL: "http://prom:9090", InsecureSkipVerify: true}} {
		if ids[other.ID()] {
			t.Errorf("%+v has the ID of another source", other)
		}
		ids[other.ID()] = true
	}
	// Phases follow from it: it must not change between versions.
	if got, want := (Source{URL: "http://prom:9090"}).ID(), "73a6268e7bdcc4b7d05331863ac90324"; got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
}

func FuzzParseSourceNeverPanics(f *testing.F) {
	f.Add("http://prom:9090")
	f.Add("{url: http://p, tls: {key: x}, headers: {a: b}}")
	f.Fuzz(func(t *testing.T, section string) {
		file, docs := yamldoc.Parse("p.yaml", []byte("prometheus: "+section))
		for _, d := range docs {
			s := ParseSource(d.Map("prometheus").Get("prometheus"))
			if s != nil && s.URL == "" || s == nil && d.Map("prometheus").Has("prometheus") && len(file.Findings) == 0 {
				t.Errorf("%q gave %+v and %v", section, s, file.Findings)
			}
		}
	})
}
