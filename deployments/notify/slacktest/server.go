package slacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Token is the one bot token that the server knows.
const Token = "xoxb-test-s3cret"

// Message is a message of a channel.
type Message struct {
	TS        string
	Thread    string // of an answer: the message that is answered
	Broadcast bool
	Text      string
	Body      string // as it was sent last
	Edits     int
	Metadata  json.RawMessage
	deleted   bool
}

// Fault is what a call meets in place of an answer.
type Fault struct {
	Method     string // such as chat.postMessage; "": any
	Status     int    // 0: 200
	Error      string // Slack's word, with 200
	RetryAfter string // the header
	Lost       bool   // the call is carried out, and its answer lost
	Hang       bool   // no answer, until the caller gives up
	Close      bool   // the connection is closed, and nothing carried out

	Until <-chan struct{} // the call is carried out when it is closed, whether or not the caller still waits
}

// Server is a workspace with one channel.
type Server struct {
	URL     string // of the Web API: api_url
	Webhook string // of an incoming webhook: a secret

	mu       sync.Mutex
	messages []*Message
	faults   []Fault
	calls    []string
	problems []string
	blind    bool
	done     chan struct{}
}

// Channel is the id of the channel #deploys.
const Channel = "C0DEPLOYS1"

// New starts a server that ends with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{done: make(chan struct{})}
	server := httptest.NewServer(s)
	s.URL, s.Webhook = server.URL+"/api", server.URL+"/services/T0/B0/s3cret"
	t.Cleanup(func() {
		close(s.done)
		server.Close()
		for _, p := range s.Problems() {
			t.Error(p)
		}
	})
	return s
}

// Fail queues faults: each meets one call.
func (s *Server) Fail(all ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, all...)
}

// Always makes every call meet a fault from now on; without one they are answered again.
func (s *Server) Always(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	if f != nil {
		const enough = 100_000
		s.faults = slices.Repeat([]Fault{*f}, enough)
	}
}

// Blind takes the right to read the channel's messages away.
func (s *Server) Blind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blind = true
}

// Delete removes a message as a person does.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		m.deleted = m.deleted || m.TS == ts
	}
}

// Messages are what the channel has, without answers in threads.
func (s *Server) Messages() []Message {
	return s.list(func(m *Message) bool { return m.Thread == "" })
}

// Answers are what the thread of a message has.
func (s *Server) Answers(ts string) []Message {
	return s.list(func(m *Message) bool { return m.Thread == ts })
}

func (s *Server) list(want func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Message
	for _, m := range s.messages {
		if want(m) && !m.deleted {
			all = append(all, *m)
		}
	}
	return all
}

// Calls are the methods that were called, in order.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Problems are what was wrong with the messages that were sent.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// ServeHTTP answers as Slack does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, api := strings.CutPrefix(r.URL.Path, "/api/")
	if !api {
		method = "webhook"
	}
	f := s.next(method)
	if f.Hang {
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		return
	}
	body, err := io.ReadAll(r.Body)
	if f.Until != nil {
		select {
		case <-f.Until:
		case <-s.done:
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var answer map[string]any
	if err == nil && f.Status == 0 && f.Error == "" && !f.Close {
		answer = s.carryOut(method, r)
	}
	if f.Lost || f.Close {
		panic(http.ErrAbortHandler)
	}
	if f.Error != "" {
		answer = refused(f.Error)
	}
	f.answer(w, api, answer)
}

// answer writes what the call is answered.
func (f Fault) answer(w http.ResponseWriter, api bool, answer map[string]any) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch {
	case f.Status > 0:
		w.WriteHeader(f.Status)
	case api:
		_ = json.NewEncoder(w).Encode(answer)
	case answer["ok"] == true:
		_, _ = w.Write([]byte("ok"))
	default:
		http.Error(w, fmt.Sprint(answer["error"]), http.StatusBadRequest)
	}
}

// next is the fault that the call meets.
func (s *Server) next(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, method)
	for i, f := range s.faults {
		if f.Method == "" || f.Method == method {
			s.faults = slices.Delete(s.faults, i, i+1)
			return f
		}
	}
	return Fault{}
}

func refused(word string) map[string]any { return map[string]any{"ok": false, "error": word} }
