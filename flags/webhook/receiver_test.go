package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// receiver is a whole receiver: it keeps the states in memory, and moves whatever Move moves.
type receiver struct {
	Secret []byte // what stands behind whsec_, decoded
	Move   func(environment, flag, variant, base string, share int) error

	mu     sync.Mutex
	states map[string]string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if !genuine(r.Secret, req.Header, body) {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	var m struct {
		Type, Flag, Environment, Variant, Base, State, Previous string
		Share                                                   int
	}
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := m.Environment + "/" + m.Flag
	state, known := r.states[key]
	switch {
	case m.Type == "flag.get" && !known:
		http.Error(w, "no such flag", http.StatusNotFound)
	case m.Type == "flag.get":
		_ = json.NewEncoder(w).Encode(map[string]string{"state": state})
	case state != m.Previous:
		http.Error(w, "changed meanwhile", http.StatusConflict)
	default:
		if err := r.Move(m.Environment, m.Flag, m.Variant, m.Base, m.Share); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError) // Serin tries again
			return
		}
		r.states[key] = m.State
	}
}

// genuine verifies a request: made with the secret, and not more than five minutes ago.
func genuine(secret []byte, h http.Header, body []byte) bool {
	at, _ := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if age := time.Since(time.Unix(at, 0)); age.Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "." + string(body)))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, got := range strings.Fields(h.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return true
		}
	}
	return false
}
