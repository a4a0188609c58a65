package ldtest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// stream is what server SDKs follow: all flags at first, then each that changes.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != SDKKey {
		refuse(w, http.StatusUnauthorized, "Invalid SDK key")
		return
	}
	changes := make(chan []byte, 1024)
	s.mu.Lock()
	all := map[string]any{}
	for key, f := range s.flags {
		all[key] = f.sdk()
	}
	put := event("put", "/", map[string]any{"flags": all, "segments": map[string]any{}})
	s.followers[changes] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, changes)
	}()

	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for next := put; ; {
		if _, err := w.Write(next); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case next = <-changes:
		case <-r.Context().Done():
			return
		}
	}
}

// tell sends a changed flag to all who follow. The caller holds the lock.
func (s *Server) tell(f *Flag) {
	patch := event("patch", "/flags/"+f.Key, f.sdk())
	for follower := range s.followers {
		select {
		case follower <- patch:
		default: // too far behind to be of use in a test
		}
	}
}

func event(name, path string, data any) []byte {
	text, err := json.Marshal(map[string]any{"path": path, "data": data})
	if err != nil { // maps of plain values
		panic("ldtest: " + err.Error())
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, text)
}
