package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "/services/T000/B000/s3cret"

// webhook is a server that answers as told, and a Slack that talks to it.
func webhook(t *testing.T, answer http.HandlerFunc) notify.Slack {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	return notify.Slack{URL: server.URL + secret, HTTP: client, Now: func() time.Time { return start }}
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var promoted = stories()["promoted"]

func TestADecisionIsPostedOnceAsJSON(t *testing.T) {
	var posts []notify.Message
	slack := webhook(t, func(w http.ResponseWriter, r *http.Request) {
		var m notify.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Method != http.MethodPost || r.URL.Path != secret || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Idempotency-Key") != promoted.ID {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
		}
		posts = append(posts, m)
		_, _ = io.WriteString(w, "ok")
	})
	for _, e := range []deployments.Event{promoted, event("traffic.confirmed", nil)} {
		if err := slack.Deliver(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := notify.Render(promoted)
	if diff := cmp.Diff([]notify.Message{want}, posts); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

func TestAnAnswerSaysWhetherAndWhenToTryAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply http.HandlerFunc
		after time.Duration // 0: refused for good
		text  string
	}{
		{"429 with seconds", answer(429, "rate_limited", "Retry-After", "30"), 30 * time.Second, "tell slack: answered 429 Too Many Requests: rate_limited; again in 30s"},
		{"429 with a date", answer(429, "", "Retry-After", start.Add(42*time.Second).Format(http.TimeFormat)), 42 * time.Second, "tell slack: answered 429 Too Many Requests; again in 42s"},
		{"429 with a date gone by", answer(429, "", "Retry-After", start.Add(-time.Hour).Format(http.TimeFormat)), time.Second, "tell slack: answered 429 Too Many Requests; again in 1s"},
		{"429 with nonsense", answer(429, "", "Retry-After", "soon"), 10 * time.Second, "tell slack: answered 429 Too Many Requests; again in 10s"},
		{"429 for a day", answer(429, "", "Retry-After", "86400"), 15 * time.Minute, "tell slack: answered 429 Too Many Requests; again in 15m0s"},
		{"500", answer(500, "oops\x1b[31m\n\nagain"), 10 * time.Second, "tell slack: answered 500 Internal Server Error: oops[31m again; again in 10s"},
		{"503 with seconds", answer(503, "", "Retry-After", "7"), 7 * time.Second, "tell slack: answered 503 Service Unavailable; again in 7s"},
		{"400", answer(400, "invalid_blocks"), 0, "tell slack: answered 400 Bad Request: invalid_blocks"},
		{"403", answer(403, "action_prohibited"), 0, "tell slack: answered 403 Forbidden: action_prohibited"},
		{"404", answer(404, "no_service"), 0, "tell slack: answered 404 Not Found: no_service"},
		{"410", answer(410, "channel_is_archived"), 0, "tell slack: answered 410 Gone: channel_is_archived"},
		{"a redirect", answer(302, "", "Location", "https://evil.example/"), 0, "tell slack: answered 302 Found"},
		{"a sign-in page", answer(200, "<!doctype html>"), 0, "tell slack: answered by a web page, not by a webhook: <!doctype html>"},
		{"an answer that repeats the secret", answer(404, "no route "+secret), 0, "tell slack: answered 404 Not Found: no route [webhook]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := webhook(t, c.reply).Deliver(t.Context(), promoted)
			later, again := errors.AsType[*notify.RetryAfterError](err)
			if again != (c.after > 0) || again && later.RetryAfter() != c.after {
				t.Errorf("again %v, error %#v", again, err)
			}
			if refused := deployments.Refusal(err) != ""; refused == again {
				t.Errorf("refused for good: %v", refused)
			}
			if err != nil {
				if diff := cmp.Diff(c.text, err.Error()); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAWebhookThatHangsEndsWithTheContext(t *testing.T) {
	release := make(chan struct{})
	slack := webhook(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	again(t, slack.Deliver(ctx, promoted), context.DeadlineExceeded)
}

func TestAWebhookThatIsAwayIsTriedAgain(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	err := notify.Slack{URL: server.URL + secret}.Deliver(t.Context(), promoted)
	again(t, err, nil)
	if !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

func TestAnAnswerThatBreaksOffIsTriedAgain(t *testing.T) {
	again(t, webhook(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).Deliver(t.Context(), promoted), nil)
}

// again checks that err asks for another try, is caused by cause, and keeps the secret.
func again(t *testing.T, err, cause error) {
	t.Helper()
	if _, ok := errors.AsType[*notify.RetryAfterError](err); !ok || cause != nil && !errors.Is(err, cause) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the secret is told: %v", err)
	}
}

func TestAWrongAddressIsNeverTold(t *testing.T) {
	for _, address := range []string{"https://hooks.slack.com:port" + secret, "\x00" + secret, "hooks.slack.com" + secret, "ftp://hooks.slack.com" + secret, "https://%zz" + secret, "http://127.0.0.1:1" + secret} {
		err := notify.Slack{URL: address}.Deliver(t.Context(), promoted)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error %v", err)
		}
	}
}
