package unleash

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/murmur3"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake answers as Unleash 7.5.1 was seen to, for one environment of one project.
type fake struct {
	mu     sync.Mutex
	flags  map[string]*state
	ids    int
	calls  []string                                          // method and what comes behind /environments/production
	first  func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	behind bool                                              // the frontend API has not heard of anything
}

const (
	adminToken    = "*:*.admin"
	frontendToken = "default:production.frontend"
	checkout      = "shop.checkout"
)

func newFake(t *testing.T) (*fake, *Unleash) {
	t.Helper()
	f := &fake{flags: map[string]*state{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	source := flags.Source{
		Kind: flags.Unleash, URL: server.URL, Project: "default", Environment: "production",
		TokenFile: filepath.Join(dir, "admin"), ReadKeyFile: filepath.Join(dir, "frontend"),
	}
	for file, token := range map[string]string{source.TokenFile: adminToken, source.ReadKeyFile: frontendToken} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := New(source, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return f, u
}

// edit changes the flag as a person does; it creates one that is off.
func (f *fake) edit(change func(s *state)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flags[checkout] == nil {
		f.flags[checkout] = &state{Name: "production", Strategies: []strategy{}}
	}
	change(f.flags[checkout])
}

func (f *fake) add(s *state, o strategy) strategy {
	f.ids++
	o.ID = fmt.Sprintf("id-%d", f.ids)
	s.Strategies = append(s.Strategies, o)
	return o
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.first != nil && f.first(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rest, admin := strings.CutPrefix(r.URL.Path, "/api/admin/projects/default/features/")
	if want := map[bool]string{true: adminToken, false: frontendToken}[admin]; r.Header.Get("Authorization") != want {
		answer(w, 401, map[string]string{"message": "You must log in to use Unleash."})
		return
	}
	if !admin {
		f.frontend(w, r.URL.Query().Get("userId"))
		return
	}
	flag, rest, _ := strings.Cut(rest, "/environments/production")
	f.calls = append(f.calls, r.Method+" "+rest)
	s := f.flags[flag]
	if s == nil {
		answer(w, 404, map[string]string{"message": fmt.Sprintf("Could not find feature flag with name %s", flag)})
		return
	}
	switch id, isOne := strings.CutPrefix(rest, "/strategies/"); {
	case rest == "":
		answer(w, 200, feature{Name: flag, Environments: []state{{Name: "development"}, *s}})
	case rest == "/on" || rest == "/off":
		if s.Enabled = rest == "/on"; s.Enabled && len(s.Strategies) == 0 {
			f.add(s, strategy{Name: flexible, Parameters: map[string]any{"rollout": "100", "stickiness": "default", "groupId": flag}})
		}
	case rest == "/strategies":
		var o strategy
		_ = json.NewDecoder(r.Body).Decode(&o)
		answer(w, 200, f.add(s, o))
	case !isOne || !slices.ContainsFunc(s.Strategies, func(o strategy) bool { return o.ID == id }):
		answer(w, 404, map[string]string{"message": "Could not find strategy with id: " + id})
	case r.Method == http.MethodPatch:
		patch(w, r, s, id)
	case r.Method == http.MethodDelete:
		s.Strategies = slices.DeleteFunc(slices.Clone(s.Strategies), func(o strategy) bool { return o.ID == id })
	}
}

// patch knows what Serin patches, and takes a failed test for a fault of its own, as Unleash does.
func patch(w http.ResponseWriter, r *http.Request, s *state, id string) {
	var ops []operation
	_ = json.NewDecoder(r.Body).Decode(&ops)
	for i := range s.Strategies {
		o := &s.Strategies[i]
		for _, op := range ops {
			is, set := any(o.Title), func() { o.Title = op.Value.(string) }
			if op.Path == "/parameters/rollout" {
				is, set = o.Parameters["rollout"], func() { o.Parameters = with(o.Parameters, op.Value) }
			}
			switch {
			case o.ID != id:
			case op.Op == "replace":
				set()
			case is != op.Value:
				answer(w, 500, map[string]string{"name": "UnknownError", "message": "Test operation failed"})
				return
			}
		}
	}
}

func with(parameters map[string]any, rollout any) map[string]any {
	return map[string]any{"rollout": rollout, "stickiness": parameters["stickiness"], "groupId": parameters["groupId"]}
}

func (f *fake) frontend(w http.ResponseWriter, user string) {
	toggles := []map[string]any{}
	for flag, s := range f.flags {
		is := s.Enabled && !f.behind && len(s.Strategies) == 0
		for _, o := range s.Strategies {
			rollout, _ := strconv.Atoi(o.Parameters["rollout"].(string))
			place := int(murmur3.StringSum32(fmt.Sprint(o.Parameters["groupId"], ":", user))%100) + 1
			is = is || s.Enabled && !f.behind && !o.Disabled && place <= rollout
		}
		if is {
			toggles = append(toggles, map[string]any{"name": flag, "enabled": true})
		}
	}
	answer(w, 200, map[string]any{"toggles": toggles})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
