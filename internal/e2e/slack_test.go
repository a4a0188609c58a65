//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// slack is a receiver of Slack's incoming webhooks.
type slack struct {
	url   string
	hangs chan struct{} // answers wait until it is closed; nil: they do not
	mu    sync.Mutex
	texts []string
	tries int
}

func newSlack(t *testing.T) *slack {
	t.Helper()
	s := &slack{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/services/T0/B0/secret"
	return s
}

func (s *slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ Text string }
	err := json.NewDecoder(r.Body).Decode(&m)
	s.mu.Lock()
	s.tries++
	hangs := s.hangs
	s.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-r.Context().Done():
			return
		}
	}
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.texts = append(s.texts, m.Text)
	s.mu.Unlock()
	_, _ = w.Write([]byte("ok"))
}

// hang makes the receiver take requests and never answer, until the test is over.
func (s *slack) hang(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = make(chan struct{})
	t.Cleanup(func() { close(s.hangs) })
}

// heard are the messages with a text in them.
func (s *slack) heard(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.texts {
		if strings.Contains(m, text) {
			out = append(out, m)
		}
	}
	return out
}

// tried is how often the receiver was called.
func (s *slack) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}
