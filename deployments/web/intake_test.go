package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a-token-of-this-intake"

// sent is a request to an intake with a token, and its answer.
type sent struct {
	method, path, body string
	header             map[string]string
}

func (s sent) to(t *testing.T, i Intake) (int, http.Header, map[string]any) {
	t.Helper()
	if s.method == "" {
		s.method = http.MethodPost
	}
	if s.path == "" {
		s.path = "/v1/releases/production/checkout"
	}
	r := httptest.NewRequestWithContext(t.Context(), s.method, s.path, strings.NewReader(s.body))
	r.Host = "127.0.0.1:4"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%d: %v: %s", w.Code, err, w.Body)
	}
	return w.Code, w.Header(), body
}

// kept is an intake that remembers what it was to store.
func kept(err error) (Intake, *[]Request) {
	var all []Request
	return Intake{
		Publish: func(_ context.Context, r Request) (Stored, error) {
			all = append(all, r)
			return Stored{ID: "id", Duplicate: len(all) > 1, Rollout: map[bool]string{true: "r1"}[len(all) > 1]}, err
		},
		Tokens: func() ([]string, error) { return []string{"another-token-of-it", token}, nil },
	}, &all
}

func TestAReleaseIsAnsweredOnceItIsStored(t *testing.T) {
	i, all := kept(nil)
	status, _, body := sent{body: `{"version":"1.1.0"}`, header: map[string]string{"Idempotency-Key": `"k 1"`}}.to(t, i)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a key with a space: %d %v", status, body)
	}
	status, _, body = sent{body: `{"version":"1.1.0"}`, header: map[string]string{"Idempotency-Key": `"k1"`, "X-Other": "x", "Ce-Specversion": "1.0"}}.to(t, i)
	if status != http.StatusAccepted || body["ok"] != true || body["id"] != "id" || body["duplicate"] != false || body["rollout"] != nil {
		t.Errorf("%d %v", status, body)
	}
	r := (*all)[0]
	if r.Slot != (deployments.Slot{Environment: "production", Service: "checkout"}) || r.Key != "k1" || string(r.Body) != `{"version":"1.1.0"}` || len(r.Header) != 2 || r.Header["ce-specversion"] == nil {
		t.Errorf("stored %+v", r)
	}
	if status, _, body = (sent{body: `{"version":"1.1.0"}`}).to(t, i); status != http.StatusAccepted || body["duplicate"] != true || body["rollout"] != "r1" {
		t.Errorf("once more: %d %v", status, body)
	}
}

func TestAKeyIsTheIDOnlyOfAReleaseWithoutOne(t *testing.T) {
	for body, want := range map[string]string{`{"version":"1"}`: "k", `{"version":"1","id":""}`: "k", `{"version":"1","id":null}`: "k", `{"version":"1","id":"own"}`: "", "no JSON": "k"} {
		i, all := kept(nil)
		sent{body: body, header: map[string]string{"Idempotency-Key": "k"}}.to(t, i)
		if (*all)[0].Key != want {
			t.Errorf("%s: key %q", body, (*all)[0].Key)
		}
	}
	i, all := kept(nil)
	sent{header: map[string]string{"Idempotency-Key": "k", "Ce-Id": "own"}}.to(t, i)
	if (*all)[0].Key != "" {
		t.Error("a CloudEvent's own id is not its id")
	}
}

func TestWhoMayNotPublishIsToldBeforeAnythingIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		sent
		status int
		reason string
	}{
		"no token":          {sent{header: map[string]string{"Authorization": ""}}, 401, "not_allowed"},
		"another token":     {sent{header: map[string]string{"Authorization": "Bearer x"}}, 401, "not_allowed"},
		"no bearer":         {sent{header: map[string]string{"Authorization": "Basic " + token}}, 401, "not_allowed"},
		"another method":    {sent{method: http.MethodGet}, 405, "method"},
		"another path":      {sent{path: "/v1/releases/production"}, 404, "not_found"},
		"no name":           {sent{path: "/v1/releases/production/check.out"}, 422, "invalid"},
		"a wildcard":        {sent{path: "/v1/releases/%2A/%3E"}, 422, "invalid"},
		"a form":            {sent{header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "media_type"},
		"no kind":           {sent{header: map[string]string{"Content-Type": ""}}, 415, "media_type"},
		"a batch":           {sent{header: map[string]string{"Content-Type": "application/cloudevents-batch+json"}}, 415, "media_type"},
		"compressed":        {sent{header: map[string]string{"Content-Encoding": "gzip"}}, 415, "media_type"},
		"too large":         {sent{body: strings.Repeat("x", MaxBody+1)}, 413, "too_large"},
		"a key of no words": {sent{header: map[string]string{"Idempotency-Key": ""}}, 422, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			i, all := kept(nil)
			status, header, body := c.to(t, i)
			if status != c.status || body["ok"] != false || body["reason"] != c.reason || body["error"] == "" || len(*all) > 0 {
				t.Errorf("%d %v, stored %v", status, body, *all)
			}
			if (status == 401) != (header.Get("WWW-Authenticate") != "") || (status == 405) != (header.Get("Allow") != "") {
				t.Errorf("headers %v", header)
			}
		})
	}
}

func TestWithoutTokensABrowsersPagePublishesNothing(t *testing.T) {
	i, all := kept(nil)
	i.Tokens = nil
	for name, h := range map[string]map[string]string{"a page": {"Origin": "http://127.0.0.1:4"}, "its sandbox": {"Origin": "null"}} {
		if status, _, body := (sent{header: h}).to(t, i); status != http.StatusForbidden {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	for host, want := range map[string]int{"rebound.example": 403, "rebound.example:80": 403, "192.0.2.1": 403, "localhost:8": 202, "[::1]:8": 202, "[::1]": 202, "127.0.0.1": 202} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/releases/production/checkout", strings.NewReader("{}"))
		r.Host = host
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		w := httptest.NewRecorder()
		i.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	if len(*all) != 4 {
		t.Errorf("%d were stored", len(*all))
	}
}

func TestARefusedReleaseIsToldWhyAndOneThatIsNotStoredIsToBeSentAgain(t *testing.T) {
	i, _ := kept(deployments.Refuse("not_allowed", errors.New("start_step must not be in a release event")))
	if status, _, body := (sent{}).to(t, i); status != http.StatusUnprocessableEntity || body["reason"] != "not_allowed" || body["error"] != "start_step must not be in a release event" {
		t.Errorf("%d %v", status, body)
	}
	i, _ = kept(errors.New("nats: a secret address"))
	if status, header, body := (sent{}).to(t, i); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || strings.Contains(body["error"].(string), "secret") {
		t.Errorf("%d %v", status, body)
	}
	i.Tokens = func() ([]string, error) { return nil, errors.New("open /secret/path") }
	if status, _, body := (sent{}).to(t, i); status != http.StatusServiceUnavailable || strings.Contains(body["error"].(string), "secret") {
		t.Errorf("%d %v", status, body)
	}
}
