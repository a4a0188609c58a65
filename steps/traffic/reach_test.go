package traffic_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/serin-cd/serin/steps/traffic"
)

func TestReachTakesNothingButAGoodStatusForAnAnswer(t *testing.T) {
	for status, good := range map[int]bool{200: true, 204: true, 302: false, 404: false, 503: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status == http.StatusFound && r.URL.Path == "/" {
				http.Redirect(w, r, "/elsewhere", status)
				return
			}
			if r.URL.Path == "/" {
				w.WriteHeader(status)
			}
		}))
		err := traffic.Reach(t.Context(), server.URL)
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), http.StatusText(status)) {
			t.Errorf("%d: %v", status, err)
		}
		server.Close()
	}
	if err := traffic.Reach(t.Context(), "http://127.0.0.1:1"); err == nil {
		t.Error("nobody listens there")
	}
}
