package ofrep

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
)

// changes counts the changes of each environment and wakes all who wait for one. Its zero value is ready. It remembers
// the environments that have flags, never those that somebody asks for.
type changes struct {
	mu    sync.Mutex
	birth string // of this process: the counts of another one mean nothing here
	of    map[string]uint64
	next  chan struct{} // closed at the next change of any environment
}

func (c *changes) init() {
	if c.of == nil {
		c.birth, c.of, c.next = rand.Text()[:10], map[string]uint64{}, make(chan struct{})
	}
}

func (c *changes) tell(storeKeys []string) {
	changed := map[string]bool{}
	for _, key := range storeKeys {
		environment, _ := flags.SplitKey(key)
		changed[environment] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.init()
	for environment := range changed {
		c.of[environment]++
	}
	close(c.next)
	c.next = make(chan struct{})
}

// last names the last change of an environment; next is closed when there may be another.
func (c *changes) last(environment string) (id string, next <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.init()
	return fmt.Sprintf("%s-%d", c.birth, c.of[environment]), c.next
}

// eventsURI is where the caller of a bulk evaluation may listen. It stays the same as long as the token does: clients
// connect anew when it differs.
func (h *Handler) eventsURI(r *http.Request, c call) string {
	at := (&url.URL{Path: c.prefix + eventsPath}).EscapedPath()
	if h.o.Tokens == nil {
		return at
	}
	given := bearer(r)
	if given == "" {
		given = r.Header.Get("X-API-Key")
	}
	return at + "?ticket=" + ticketFor(given, c.environment)
}

// stream tells a client of changes until it leaves, is too slow, or the handler is closed.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, c call) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		tooMany(w, c, 10*time.Second, "too many streams are open")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	s := sink{w: w, out: http.NewResponseController(w), patience: h.o.WriteTimeout}
	seen := r.Header.Get("Last-Event-ID")
	beat := time.NewTicker(h.o.Heartbeat)
	defer beat.Stop()
	defer s.rest()
	err := s.write(": serin\n\n")
	for err == nil {
		id, next := h.changes.last(c.environment)
		if id != seen {
			seen = id
			err = s.write("id: " + id + "\nevent: message\ndata: {\"type\":\"refetchEvaluation\"}\n\n")
			continue
		}
		select {
		case <-next:
		case <-beat.C:
			err = s.write(":\n\n")
		case <-r.Context().Done():
			return
		case <-h.closed:
			return
		}
	}
}

// sink writes to a client that must take it in time.
type sink struct {
	w        http.ResponseWriter
	out      *http.ResponseController
	patience time.Duration
}

func (s sink) write(text string) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.out.Flush()
}

// rest leaves the connection as it was: it may serve other requests.
func (s sink) rest() { _ = s.out.SetWriteDeadline(time.Time{}) }
