package ofrep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
)

// codeNotFound is OpenFeature's; flags evaluates only what it has.
const codeNotFound = "FLAG_NOT_FOUND"

// failure is any error's body. Clients need key and errorCode beside a 500 too, though the protocol asks for neither.
type failure struct {
	Key     string `json:"key,omitempty"`
	Code    string `json:"errorCode,omitempty"`
	Details string `json:"errorDetails,omitempty"`
}

// readTimeout is how long a body may take.
const readTimeout = 10 * time.Second

// readContext reads {"context": {…}}. No body and no context are a user that nothing is known of, as flagd has it.
// A status other than 0 is an error.
func readContext(w http.ResponseWriter, r *http.Request, limit int64) (map[string]any, int, failure) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, http.StatusUnsupportedMediaType, failure{Code: flags.CodeParse, Details: "the body must be JSON: send Content-Type: application/json"}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // where there is a connection
	body := buffers.Get().(*bytes.Buffer)
	defer release(body)
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, http.StatusRequestEntityTooLarge, failure{Code: flags.CodeInvalidContext, Details: fmt.Sprintf("the body is larger than %d bytes", limit)}
		}
		return nil, http.StatusBadRequest, failure{Code: flags.CodeParse, Details: "the body cannot be read"}
	}
	ctx, code, err := parseContext(body.Bytes())
	if err != nil {
		return nil, http.StatusBadRequest, failure{Code: code, Details: bounded(err.Error())}
	}
	return ctx, 0, failure{}
}

func parseContext(body []byte) (ctx map[string]any, code string, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, "", nil
	}
	var request struct {
		Context map[string]any `json:"context"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field == "context" {
			return nil, flags.CodeInvalidContext, errors.New("the context is no JSON object")
		}
		return nil, flags.CodeParse, fmt.Errorf("the body is no JSON object: %w", err)
	}
	ctx = request.Context
	switch ctx[flags.TargetingKey].(type) {
	case nil, string:
		return ctx, "", nil
	default:
		return nil, flags.CodeInvalidContext, errors.New("the targetingKey is no string")
	}
}

// isJSON takes a body without a type for JSON: the OFREP provider for Go names none.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// release keeps no buffer that one large request has grown.
func release(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		buffers.Put(b)
	}
}

// encode writes into a buffer that must be released.
func encode(v any) *bytes.Buffer {
	b := buffers.Get().(*bytes.Buffer)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // values of flags were JSON before
		panic("ofrep: " + err.Error())
	}
	return b
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, v any) { send(w, status, encode(v)) }

func send(w http.ResponseWriter, status int, body *bytes.Buffer) {
	defer release(body)
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(status)
	_, _ = io.Copy(w, body) // the client has gone
}

var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

func answerError(w http.ResponseWriter, status int, f failure) {
	f.Key = bounded(f.Key)
	answer(w, status, f)
}

// tooMany says when to come back, in whole seconds and never 0: clients take that for no answer.
func tooMany(w http.ResponseWriter, c call, wait time.Duration, details string) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	answerError(w, http.StatusTooManyRequests, failure{Key: c.key, Code: flags.CodeGeneral, Details: details})
}

// bounded cuts what came from outside.
func bounded(s string) string {
	if len(s) <= 300 {
		return s
	}
	return strings.ToValidUTF8(s[:300], "") + "…"
}
