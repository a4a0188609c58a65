package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

const hookKey = "a key of at least twenty-four bytes"

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hooked is a webhook in front of a handler.
func hooked(t *testing.T, h http.HandlerFunc) notify.Webhook {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	t.Cleanup(server.Client().CloseIdleConnections)
	return notify.Webhook{URL: server.URL + "/in?token=s3cret", SecretFile: file(t, hookKey+"\n"), HTTP: server.Client(), Now: func() time.Time { return start }}
}

func TestAWebhookGetsTheEventAsASignedCloudEvent(t *testing.T) {
	e := event("rollout.failed", func(e *deployments.Event) {
		turnedBack(&e.Data)
		e.ID, e.Data.Rev, e.Data.Release = "r 1/7/rollout.failed", 7, "ci-812"
		e.Trace = deployments.NewTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1")
	})
	var got http.Header
	var body []byte
	w := hooked(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
	})
	if err := w.Deliver(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(hookKey))
	mac.Write([]byte("r%201/7/rollout.failed.1795183200."))
	mac.Write(body)
	for name, want := range map[string]string{
		"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "r%201/7/rollout.failed", "ce-type": "io.serin.rollout.failed.v1",
		"ce-source": "serin/production/checkout", "ce-time": "2026-11-20T14:12:30Z", "ce-severity": "info", "ce-releaseid": "ci-812", "ce-sequence": "7",
		"ce-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ce-tracestate": "a=1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"Idempotency-Key": "r%201/7/rollout.failed", "Webhook-Id": "r%201/7/rollout.failed", "Webhook-Timestamp": "1795183200",
		"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	want, err := json.Marshal(e.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestAWebhooksAnswerSaysWhetherToTryAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply http.HandlerFunc
		after time.Duration // 0: refused for good; -1: taken
	}{
		{"200", answer(200, "ok"), -1},
		{"202", answer(202, ""), -1},
		{"204", answer(204, ""), -1},
		{"429", answer(429, "", "Retry-After", "30"), 30 * time.Second},
		{"408", answer(408, ""), 10 * time.Second},
		{"425", answer(425, ""), 10 * time.Second},
		{"503", answer(503, "", "Retry-After", "7"), 7 * time.Second},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 10 * time.Second},
		{"400", answer(400, "no route /in?token=s3cret"), 0},
		{"401", answer(401, "s3cret"), 0},
		{"a redirect", answer(307, "", "Location", "http://127.0.0.1:1/"), 0},
	} {
		err := hooked(t, c.reply).Deliver(t.Context(), promoted)
		later, again := errors.AsType[*notify.RetryAfterError](err)
		switch {
		case c.after < 0 && err != nil, c.after >= 0 && err == nil, again != (c.after > 0), again && later.After != c.after, !again && err != nil && deployments.Refusal(err) == "":
			t.Errorf("%s: %v", c.name, err)
		case err != nil && strings.Contains(err.Error(), "/in?token=s3cret"):
			t.Errorf("%s tells the address: %v", c.name, err)
		}
	}
}

func TestAWebhooksSecretIsReadForEachEvent(t *testing.T) {
	var signed []string
	w := hooked(t, func(_ http.ResponseWriter, r *http.Request) {
		signed = append(signed, r.Header.Get("Webhook-Signature"))
	})
	for _, text := range []string{hookKey, "", hookKey + "\nanother key of twenty-four bytes"} {
		if err := os.WriteFile(w.SecretFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := w.Deliver(t.Context(), promoted)
		if later, again := errors.AsType[*notify.RetryAfterError](err); (text == "") != again || again && later.After != time.Minute {
			t.Errorf("%q: %v", text, err)
		}
	}
	if len(signed) != 2 || strings.Count(signed[0], "v1,") != 1 || !strings.HasPrefix(signed[1], signed[0]+" v1,") {
		t.Errorf("signed %q", signed)
	}
}

func TestTheAddressOfASlackWebhookIsReadForEachMessage(t *testing.T) {
	slack := webhook(t, answer(200, "ok"))
	slack.File, slack.URL = file(t, slack.URL+"\n"), ""
	if err := slack.Deliver(t.Context(), promoted); err != nil {
		t.Error(err)
	}
	slack.File = "none"
	again(t, slack.Deliver(t.Context(), promoted), os.ErrNotExist)
}
