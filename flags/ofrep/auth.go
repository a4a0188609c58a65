package ofrep

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var (
	errToken  = errors.New("no valid token: send it as Authorization: Bearer, or as X-API-Key")
	errTokens = errors.New("the server cannot read its tokens")
)

// admit refuses a request without a valid token, where one is needed.
func (h *Handler) admit(r *http.Request, c call) error {
	if h.o.Tokens == nil {
		return nil
	}
	valid, err := h.o.Tokens()
	if err != nil {
		return errTokens // the reason has a path of the server in it
	}
	ticket := ""
	if c.events {
		ticket = r.URL.Query().Get("ticket")
	}
	given := []string{bearer(r), r.Header.Get("X-API-Key")}
	found := false
	for _, token := range valid {
		for _, g := range given {
			found = same(g, token) || found
		}
		found = same(ticket, ticketFor(token, c.environment)) || found
	}
	if !found {
		return errToken
	}
	return nil
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// same compares in a time that does not depend on the texts. Nothing is the same as "".
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && a != "" && b != ""
}

// ticketFor opens the stream of an environment and nothing else. All servers with the token make the same one.
func ticketFor(token, environment string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("serin ofrep events " + environment))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// cors lets listed pages read the answer, and reports whether the request was only a question about that.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	preflight := r.Method == http.MethodOptions
	origin := r.Header.Get("Origin")
	if len(h.o.Origins) > 0 {
		w.Header().Add("Vary", "Origin")
	}
	all := slices.Contains(h.o.Origins, "*")
	if origin != "" && (all || slices.Contains(h.o.Origins, origin)) {
		if all {
			origin = "*"
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "ETag, Retry-After")
		if preflight {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-API-Key")
			w.Header().Set("Access-Control-Max-Age", "600")
		}
	}
	if preflight {
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}

// checkOrigin refuses what no browser ever sends as an origin: it would never match.
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return fmt.Errorf("origin %q: write it as https://shop.example, without a path", origin)
	}
	return nil
}
