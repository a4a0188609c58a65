package ofrep

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
)

// Flags are the flags of all environments as they stand in memory, under flags.StoreKey's keys.
type Flags interface {
	// Flag is a flag and its revision: flags.ErrNotFound, or another error for one that cannot be read.
	Flag(storeKey string) (flags.Flag, uint64, error)
	// Names are the keys of all flags, in any order.
	Names() []string
}

// Options are what a Handler needs and may have.
type Options struct {
	Flags        Flags
	Environment  string                   // that is served under /ofrep/v1
	Tokens       func() ([]string, error) // any of which a client must send; nil: nobody needs one
	Origins      []string                 // of pages that may ask; "*" is all
	Rate         float64                  // requests a second and client address; 0 is no limit
	MaxBody      int64                    // bytes of a request; 0 is DefaultMaxBody
	MaxStreams   int                      // open at once; 0 is DefaultMaxStreams
	Heartbeat    time.Duration            // between comments on a stream; 0 is DefaultHeartbeat
	WriteTimeout time.Duration            // for a stream's client to take an event; 0 is DefaultWriteTimeout
	Now          func() time.Time         // nil is time.Now
}

// Defaults of Options.
const (
	DefaultMaxBody      = 1 << 20
	DefaultMaxStreams   = 10_000
	DefaultHeartbeat    = 25 * time.Second
	DefaultWriteTimeout = 10 * time.Second
)

// Handler serves OFREP. It is an http.Handler; the flags' owner calls Changed after a change and Close at the end.
type Handler struct {
	o       Options
	limit   *limiter
	changes changes
	slots   chan struct{} // one for each stream that may be open
	closed  chan struct{}
	close   sync.Once
}

// NewHandler refuses an environment or an origin that is none.
func NewHandler(o Options) (*Handler, error) {
	if o.Flags == nil || o.Environment == "" || strings.ContainsAny(o.Environment, "./*> ") {
		return nil, fmt.Errorf("serve OFREP: environment %q is no name of an environment", o.Environment)
	}
	for _, origin := range o.Origins {
		if err := checkOrigin(origin); err != nil {
			return nil, fmt.Errorf("serve OFREP: %w", err)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.Heartbeat = cmp.Or(o.Heartbeat, DefaultHeartbeat)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, DefaultWriteTimeout)
	h := &Handler{o: o, limit: newLimiter(o.Rate), closed: make(chan struct{})}
	h.slots = make(chan struct{}, cmp.Or(o.MaxStreams, DefaultMaxStreams))
	return h, nil
}

// Changed tells the streams that flags have changed: store keys, as Flags names them.
func (h *Handler) Changed(storeKeys ...string) { h.changes.tell(storeKeys) }

// Close ends all streams. Evaluations go on.
func (h *Handler) Close() { h.close.Do(func() { close(h.closed) }) }

// call is one request that is about an environment.
type call struct {
	environment string
	prefix      string // of the environment's paths
	key         string // of the flag; "" is all
	events      bool
}

const (
	flagsPath  = "/ofrep/v1/evaluate/flags"
	eventsPath = "/ofrep/v1/events"
)

// route reads a path. It does not use a mux, which would answer a key with odd slashes by a redirect.
func (h *Handler) route(path string) (c call, ok bool) {
	c.environment = h.o.Environment
	if rest, other := strings.CutPrefix(path, "/env/"); other {
		name, _, _ := strings.Cut(rest, "/")
		if name == "" || strings.ContainsAny(name, ".*> ") {
			return call{}, false
		}
		c.environment, c.prefix = name, "/env/"+name
		path = strings.TrimPrefix(path, c.prefix)
	}
	if path == eventsPath {
		c.events = true
		return c, true
	}
	rest, ok := strings.CutPrefix(path, flagsPath)
	if !ok || rest != "" && rest[0] != '/' {
		return call{}, false
	}
	c.key = strings.TrimPrefix(rest, "/")
	return c, true
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := h.route(r.URL.Path)
	if !ok {
		answerError(w, http.StatusNotFound, failure{Details: "no such path: OFREP is at " + flagsPath})
		return
	}
	if h.cors(w, r) {
		return
	}
	method := http.MethodPost
	if c.events {
		method = http.MethodGet
	}
	if r.Method != method {
		w.Header().Set("Allow", method+", OPTIONS")
		answerError(w, http.StatusMethodNotAllowed, failure{Key: c.key, Code: flags.CodeGeneral, Details: "the method is " + method})
		return
	}
	if wait := h.limit.take(r.RemoteAddr, h.o.Now()); wait > 0 {
		tooMany(w, c, wait, "too many requests from this address")
		return
	}
	if err := h.admit(r, c); err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, errToken) {
			status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", `Bearer realm="OFREP"`)
		}
		answerError(w, status, failure{Key: c.key, Code: flags.CodeGeneral, Details: err.Error()})
		return
	}
	h.serve(w, r, c)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, c call) {
	if c.events {
		h.stream(w, r, c)
		return
	}
	ctx, status, f := readContext(w, r, h.o.MaxBody)
	switch {
	case status != 0:
		f.Key = c.key
		answerError(w, status, f)
	case c.key == "":
		h.all(w, r, c, ctx)
	default:
		h.one(w, c, ctx)
	}
}
