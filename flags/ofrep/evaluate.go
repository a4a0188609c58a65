package ofrep

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/serin-cd/serin/flags"
)

// RevisionKey is the metadata that holds the revision of the definition an answer rests on. It also says that the
// buckets are Serin's.
const RevisionKey = "serinRevision"

// success is the answer for one flag. Value is false, 0 or "" as well as absent: the difference matters.
type success struct {
	Key      string         `json:"key"`
	Value    any            `json:"value,omitempty"`
	Reason   string         `json:"reason"`
	Variant  string         `json:"variant,omitempty"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// bulk is the answer for all flags: each a success or a failure.
type bulk struct {
	Flags   []any         `json:"flags"`
	Streams []eventStream `json:"eventStreams,omitempty"`
}

type eventStream struct {
	Type     string   `json:"type"`
	Endpoint endpoint `json:"endpoint"`
}

// endpoint has no origin: the client's own way to the server, through whatever proxy, is the right one.
type endpoint struct {
	RequestURI string `json:"requestUri"`
}

// one answers for one flag.
func (h *Handler) one(w http.ResponseWriter, c call, ctx map[string]any) {
	got, status := h.evaluate(c, c.key, ctx)
	if status == 0 {
		answer(w, http.StatusOK, got)
		return
	}
	answer(w, status, got)
}

// all answers for all flags of the environment, or 304 when the client has that answer.
func (h *Handler) all(w http.ResponseWriter, r *http.Request, c call, ctx map[string]any) {
	out := bulk{Flags: []any{}, Streams: []eventStream{{Type: "sse", Endpoint: endpoint{h.eventsURI(r, c)}}}}
	for _, key := range h.keys(c.environment) {
		got, status := h.evaluate(c, key, ctx)
		if status != http.StatusNotFound { // deleted since
			out.Flags = append(out.Flags, got)
		}
	}
	body := encode(out)
	sum := sha256.Sum256(body.Bytes())
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		release(body)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, http.StatusOK, body)
}

// keys are the environment's flags in alphabetical order.
func (h *Handler) keys(environment string) []string {
	var keys []string
	for _, name := range h.o.Flags.Names() {
		if of, key := flags.SplitKey(name); of == environment {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// evaluate is a success with status 0, or a failure and its status.
func (h *Handler) evaluate(c call, key string, ctx map[string]any) (any, int) {
	f, revision, err := h.o.Flags.Flag(flags.StoreKey(c.environment, key))
	switch {
	case errors.Is(err, flags.ErrNotFound):
		return failure{Key: key, Code: codeNotFound, Details: fmt.Sprintf("no flag %q in %s", bounded(key), c.environment)}, http.StatusNotFound
	case err != nil && f.Exists() || err != nil && revision > 0:
		return failure{Key: key, Code: flags.CodeParse, Details: bounded(err.Error())}, http.StatusBadRequest
	case err != nil:
		return failure{Key: key, Code: flags.CodeGeneral, Details: bounded(err.Error())}, http.StatusInternalServerError
	}
	got := f.Evaluate(ctx, h.o.Now)
	if got.ErrorCode != "" {
		return failure{Key: key, Code: got.ErrorCode, Details: bounded(got.Err.Error())}, http.StatusBadRequest
	}
	return success{Key: key, Value: got.Value, Reason: got.Reason, Variant: got.Variant, Metadata: public(f, revision)}, 0
}

// public is the metadata that leaves the house.
func public(f flags.Flag, revision uint64) map[string]any {
	m := f.Metadata()
	if m == nil {
		m = make(map[string]any, 1)
	}
	for key := range m {
		if strings.HasPrefix(key, "serin") {
			delete(m, key)
		}
	}
	m[RevisionKey] = revision
	return m
}

// matches reads If-None-Match: a list of tags, weak or not, or *.
func matches(headers []string, etag string) bool {
	for _, header := range headers {
		for _, tag := range strings.Split(header, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
