//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

// slack is a receiver of Slack's incoming webhooks.
type slack struct {
	url   string
	hangs chan struct{} // answers wait until it is closed; nil: they do not
	mu    sync.Mutex
	texts []string
	tries int
}

func newSlack(t *testing.T) *slack {
	t.Helper()
	s := &slack{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/services/T0/B0/secret"
	return s
}

func (s *slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ Text string }
	err := json.NewDecoder(r.Body).Decode(&m)
	s.mu.Lock()
	s.tries++
	hangs := s.hangs
	s.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-r.Context().Done():
			return
		}
	}
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.texts = append(s.texts, m.Text)
	s.mu.Unlock()
	_, _ = w.Write([]byte("ok"))
}

// hang makes the receiver take requests and never answer, until the test is over.
func (s *slack) hang(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = make(chan struct{})
	t.Cleanup(func() { close(s.hangs) })
}

// heard are the messages with a text in them.
func (s *slack) heard(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.texts {
		if strings.Contains(m, text) {
			out = append(out, m)
		}
	}
	return out
}

// tried is how often the receiver was called.
func (s *slack) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// receivers writes a configuration that tells a bot's channel, and one receiver that takes everything and never answers.
func receivers(t *testing.T, bot, silent *slacktest.Server) string {
	t.Helper()
	silent.Always(&slacktest.Fault{Hang: true})
	token := write(t, "token", "%s", slacktest.Token)
	return write(t, "serin.yaml", `
notify:
  - {name: deploys, slack: {channel: "#deploys", token_file: %q, api_url: %q}}
  - {name: silent, slack: {channel: %q, token_file: %q, api_url: %q}, events: ["*"]}
`, token, bot.URL, slacktest.Channel, token, silent.URL)
}

func TestARolloutIsOneSlackMessageThoughItsWorkersAreKilledAndAnswersAreLost(t *testing.T) {
	t.Parallel()
	bot, silent := slacktest.New(t), slacktest.New(t)
	w, listen := newEmbeddedWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	args := []string{"--listen", listen, "--config", receivers(t, bot, silent)}
	d := w.serve(t, args...)
	w.reachEmbedded(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	bot.Fail(slacktest.Fault{Method: "chat.postMessage", Status: 429, RetryAfter: "1"}, slacktest.Fault{Method: "chat.update", Status: 500})
	waits := w.release(t, "1.1.0")

	for _, share := range []float64{5, 25} {
		w.story.await(t, patience, "1.1.0", "traffic.confirmed", share)
		eventually(t, patience, func() error {
			if len(bot.Messages()) == 0 {
				return errors.New("there is no message yet")
			}
			return nil
		})
		d.kill(t)
		d = w.serve(t, args...)
	}
	bot.Fail(slacktest.Fault{Method: "chat.postMessage", Lost: true})
	w.versions["1.1.0"].fault(t, "errors=1")
	ends(t, waits, 3, "restored", "rules")
	decided, off := w.story.one(t, "1.1.0", "rollout.failed"), w.story.one(t, "1.1.0", "rollback.completed")
	if took := off.Time.Sub(decided.Time); took > time.Second {
		t.Errorf("the rollback took %v", took)
	}
	eventually(t, 2*time.Minute, func() error { return toldOnce(bot, "rolled back at 25 %") })
	if len(silent.Calls()) == 0 || len(silent.Messages()) > 0 {
		t.Error("the silent receiver was not asked: the test proves nothing")
	}
	d.signal(t, syscall.SIGTERM)
	if code := d.exit(t, 15*time.Second); code != 0 {
		t.Errorf("serve ended with status %d", code)
	}
}

// toldOnce checks that there is one message with a state, and a thread with each detail once.
func toldOnce(bot *slacktest.Server, state string) error {
	all := bot.Messages()
	if len(all) != 1 || !strings.Contains(all[0].Text, state) {
		return fmt.Errorf("the channel has %d messages: %+v", len(all), all)
	}
	seen, failed := map[string]bool{}, false
	for _, a := range bot.Answers(all[0].TS) {
		if seen[a.Text] {
			return fmt.Errorf("twice in the thread: %s", a.Text)
		}
		seen[a.Text] = true
		failed = failed || strings.Contains(a.Text, "failed at 25 %") && a.Broadcast
	}
	if !failed {
		return fmt.Errorf("the thread does not tell of the failure: %v", seen)
	}
	return nil
}
