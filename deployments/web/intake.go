package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/serin-cd/serin/deployments"
)

// MaxBody is how large a release may be, in bytes.
const MaxBody = 64 << 10

// retryAfter is how many seconds a client is to leave an intake alone that cannot store.
const retryAfter = "5"

// Request is a release as it was sent. Nothing of it has been looked at but its envelope.
type Request struct {
	Slot   deployments.Slot
	Header map[string][]string // by name in lower case: content-type, attributes of a CloudEvent in binary mode, traceparent
	Body   []byte
	Named  bool   // it has an id of its own
	Key    string // the Idempotency-Key, where it has no id of its own; "": there is none
}

// Stored says what became of a release.
type Stored struct {
	ID        string
	Duplicate bool   // one of the same id is stored already
	Rollout   string // that of the duplicate, where it is known
}

// Intake is the handler.
type Intake struct {
	// Publish stores a release. A deployments.RefusedError is the client's, any other is not.
	Publish func(context.Context, Request) (Stored, error)
	Tokens  func() ([]string, error) // one of which a client must send; nil: only programs of this machine can reach it
	Log     *slog.Logger             // nil: silent
}

// Handler answers POST /v1/releases/<environment>/<service>, and says no to all else.
func (i Intake) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/releases/{environment}/{service}", i.release)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/releases/") && r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "method", "publish a release with POST")
			return
		}
		refuse(w, http.StatusNotFound, "not_found", "releases go to POST /v1/releases/ENVIRONMENT/SERVICE")
	})
	return mux
}

func (i Intake) release(w http.ResponseWriter, r *http.Request) {
	if status, why := i.admit(r); status != 0 {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="serin"`)
		}
		refuse(w, status, "not_allowed", why)
		return
	}
	request, status, err := read(w, r)
	if err != nil {
		refuse(w, status, reasonOf(status), err.Error())
		return
	}
	stored, err := i.Publish(r.Context(), request)
	var refused *deployments.RefusedError
	switch {
	case errors.As(err, &refused):
		refuse(w, http.StatusUnprocessableEntity, refused.Reason, refused.Error())
	case err != nil:
		i.warn(r, "store a release", err)
		w.Header().Set("Retry-After", retryAfter)
		refuse(w, http.StatusServiceUnavailable, "away", "the release is not known to be stored: send it again, with the same Idempotency-Key")
	default:
		answer(w, http.StatusAccepted, accepted{true, stored.ID, stored.Duplicate, stored.Rollout})
	}
}

func (i Intake) warn(r *http.Request, what string, err error) {
	if i.Log != nil {
		i.Log.WarnContext(r.Context(), "intake failed", slog.String("at", what), slog.String("path", r.URL.Path), slog.String("error", err.Error()))
	}
}

// admit says who may not send anything, and why; 0 is welcome.
func (i Intake) admit(r *http.Request) (status int, why string) {
	if i.Tokens == nil {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if r.Header.Get("Origin") != "" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return http.StatusForbidden, "without tokens, programs of this machine alone may publish releases, and no page in a browser"
		}
		return 0, ""
	}
	tokens, err := i.Tokens()
	if err != nil {
		i.warn(r, "read tokens", err)
		return http.StatusServiceUnavailable, "the tokens cannot be read here"
	}
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	found := 0
	for _, t := range tokens {
		found |= same(strings.TrimSpace(sent), t)
	}
	if !strings.EqualFold(scheme, "Bearer") || found == 0 {
		return http.StatusUnauthorized, "send Authorization: Bearer with a token of this intake"
	}
	return 0, ""
}

// same compares in a time that tells nothing.
func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// read takes a release out of its request.
func read(w http.ResponseWriter, r *http.Request) (Request, int, error) {
	out := Request{Slot: deployments.Slot{Environment: r.PathValue("environment"), Service: r.PathValue("service")}, Header: map[string][]string{}}
	if err := out.Slot.Validate(); err != nil {
		return out, http.StatusUnprocessableEntity, err
	}
	if err := kind(r); err != nil {
		return out, http.StatusUnsupportedMediaType, err
	}
	var err error
	if out.Key, err = key(r); err != nil {
		return out, http.StatusUnprocessableEntity, err
	}
	for name, values := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "ce-") || lower == "content-type" || lower == "traceparent" || lower == "tracestate" {
			out.Header[lower] = values
		}
	}
	out.Body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return out, http.StatusRequestEntityTooLarge, errors.New("the body has more than 65536 bytes")
	}
	if err != nil {
		return out, http.StatusBadRequest, errors.New("the body broke off")
	}
	if out.Named = named(out.Header, out.Body); out.Named {
		out.Key = ""
	}
	return out, 0, nil
}

// kind refuses bodies that are no JSON.
func kind(r *http.Request) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return errors.New("the body must not be compressed")
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && (media == "application/json" || media == "application/cloudevents+json") {
		return nil
	}
	return errors.New("send Content-Type: application/json, or application/cloudevents+json for one CloudEvent in structured mode")
}

// maxKey bounds an Idempotency-Key, in bytes: it may become an id.
const maxKey = 256

// key is the Idempotency-Key, with or without the quotes that its draft asks for.
func key(r *http.Request) (string, error) {
	all := r.Header.Values("Idempotency-Key")
	if len(all) == 0 {
		return "", nil
	}
	k := all[0]
	if len(k) > 1 && k[0] == '"' && k[len(k)-1] == '"' {
		k = k[1 : len(k)-1]
	}
	if len(all) > 1 || k == "" || len(k) > maxKey || strings.ContainsFunc(k, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", errors.New("the Idempotency-Key must be one of 1 to 256 printable characters without spaces")
	}
	return k, nil
}

// named reports whether a release has an id of its own. What cannot be read has none, and is refused later.
func named(h map[string][]string, body []byte) bool {
	if len(h["ce-id"]) > 0 {
		return true
	}
	var in map[string]json.RawMessage
	return json.Unmarshal(body, &in) == nil && len(in["id"]) > 0 && string(in["id"]) != "null" && string(in["id"]) != `""`
}

// reasonOf is a status in one word.
func reasonOf(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "media_type"
	}
	return "invalid"
}

type accepted struct {
	OK        bool   `json:"ok"`
	ID        string `json:"id"`
	Duplicate bool   `json:"duplicate"`
	Rollout   string `json:"rollout,omitempty"`
}

type refusal struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error"`  // what is wrong, in words
	Reason string `json:"reason"` // the same in one
}

func refuse(w http.ResponseWriter, status int, reason, why string) {
	answer(w, status, refusal{Error: why, Reason: reason})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone hears nothing
}
