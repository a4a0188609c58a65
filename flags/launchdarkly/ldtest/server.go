package ldtest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
)

// What the stand-in is set up with.
const (
	Project      = "shop"
	Environment  = "production"
	Token        = "api-of-the-stand-in"
	ClientSideID = "client-side-id-of-the-stand-in"
	SDKKey       = "sdk-key-of-the-stand-in"
)

// Server is the STAND-IN for LaunchDarkly's service, all of its addresses in one. It is safe for concurrent use.
type Server struct {
	mu        sync.Mutex
	flags     map[string]*Flag
	evaluated map[string]*Flag // what evaluations still see, while they lag
	answers   []Answer
	before    func()
	patches   []Patch
	followers map[chan []byte]bool
	mux       *http.ServeMux
}

// Answer is a refusal of a patch.
type Answer struct {
	Status  int
	Message string
	Header  map[string]string
	Unless  string // a text in the request's query or body with which the patch is not refused
	Only    string // a text in its body without which it is not refused
}

// Patch is a semantic patch that was asked for, done or not.
type Patch struct {
	Query   string
	Header  http.Header
	Comment string
	Body    string
}

// New is a stand-in without flags.
func New() *Server {
	s := &Server{flags: map[string]*Flag{}, followers: map[chan []byte]bool{}, mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /api/v2/flags/{project}/{flag}", s.read)
	s.mux.HandleFunc("PATCH /api/v2/flags/{project}/{flag}", s.write)
	s.mux.HandleFunc("GET /sdk/evalx/{client}/contexts/{context}", s.evaluate)
	s.mux.HandleFunc("GET /all", s.stream)
	s.mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }) // events
	return s
}

// ServeHTTP answers for the REST API, for the stream and for evaluations.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Boolean makes a boolean flag at rest: on, and false for everybody.
func (s *Server) Boolean(key string) { s.add(key, 1, true, false) }

// Versions makes a flag of strings at rest on the first of them.
func (s *Server) Versions(key string, versions ...string) {
	var values []any
	for _, v := range versions {
		values = append(values, v)
	}
	s.add(key, 0, values...)
}

func (s *Server) add(key string, rest int, values ...any) {
	f := &Flag{
		Key: key, Variations: values, Properties: map[string][]string{}, ClientSide: true,
		On: true, Off: &rest, Fallthrough: Serve{Variation: &rest}, version: 1, settings: 1,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flags[key] = f
	s.tell(f)
}

// Edit is what a person does to a flag in LaunchDarkly.
func (s *Server) Edit(key string, edit func(*Flag)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flags[key].clone()
	edit(f)
	f.version++
	f.settings++
	s.flags[key] = f
	s.tell(f)
}

// Flag is a copy of a flag as it is.
func (s *Server) Flag(key string) Flag {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.flags[key].clone()
}

// Refuse answers the next patches so, one each.
func (s *Server) Refuse(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answers...)
}

// BeforeWrite is called once, before the next patch is done.
func (s *Server) BeforeWrite(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Lag keeps evaluations, not the stream, at what the flags are now, until it is called with false.
func (s *Server) Lag(lag bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evaluated = nil
	if lag {
		s.evaluated = maps.Clone(s.flags)
	}
}

// Patches are those asked for so far.
func (s *Server) Patches() []Patch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Patch{}, s.patches...)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.flags[r.PathValue("flag")]
	if !ok || r.PathValue("project") != Project {
		refuse(w, http.StatusNotFound, "Unknown flag key")
		return
	}
	answer(w, f.rest())
}

func (s *Server) evaluate(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("client") != ClientSideID {
		refuse(w, http.StatusNotFound, "Unknown client-side ID")
		return
	}
	var who struct{ Kind, Key string }
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(r.PathValue("context"), "="))
	if err != nil || json.Unmarshal(data, &who) != nil || who.Kind != "user" || who.Key == "" {
		refuse(w, http.StatusBadRequest, "Invalid context")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	flags := s.flags
	if s.evaluated != nil {
		flags = s.evaluated
	}
	all := map[string]any{}
	for key, f := range flags {
		if !f.ClientSide || f.Archived {
			continue
		}
		served := map[string]any{"version": f.version + 1000, "flagVersion": f.version, "value": nil, "trackEvents": false}
		if index, ok := f.evaluate(who.Key); ok {
			served["variation"], served["value"] = index, f.Variations[index]
		}
		all[key] = served
	}
	answer(w, all)
}

// allowed wants the token as LaunchDarkly does, without a word before it, and the version of the API.
func allowed(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") != Token {
		refuse(w, http.StatusUnauthorized, "Invalid access token")
		return false
	}
	if r.Header.Get("LD-API-Version") != "20240415" {
		refuse(w, http.StatusBadRequest, "Unknown API version")
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	answer(w, map[string]string{"code": http.StatusText(status), "message": message})
}
