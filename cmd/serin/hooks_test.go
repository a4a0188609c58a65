package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/web"
	"github.com/serin-cd/serin/steps"
)

// logged keeps a daemon's log.
type logged struct{ lines chan string }

func (l *logged) Write(b []byte) (int, error) {
	select {
	case l.lines <- string(b):
	default:
	}
	return len(b), nil
}

// hooked is an intake over HTTP beside a daemon, with a token.
type hooked struct {
	*ordered
	url, tokens string
	client      *http.Client
}

func newHooked(t *testing.T) hooked {
	t.Helper()
	h := hooked{ordered: newOrdered(t), client: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}}
	h.tokens = filepath.Join(h.env.Dir, "tokens")
	if err := os.WriteFile(h.tokens, []byte("the-token-of-this-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &logged{lines: make(chan string, 10)}
	d := &daemon{cfg: h.d.cfg, nc: h.d.nc, js: h.d.js, names: h.d.names, journal: h.d.journal, worker: h.d.worker}
	d.cfg.Intake = intakeFlags{address: "127.0.0.1:0", tokenFile: "tokens"}
	d.cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	if err := d.cfg.Intake.check(h.env); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.serveIntake(ctx) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	_, rest, ok := strings.Cut(<-log.lines, "address=")
	address, _, _ := strings.Cut(rest, " ")
	if !ok {
		t.Fatal("the intake does not say where it is")
	}
	h.url = "http://" + address + "/v1/releases/production/"
	return h
}

func hookOf(service, body string) web.Request {
	return web.Request{Slot: deployments.Slot{Environment: "production", Service: service}, Header: map[string][]string{}, Body: []byte(body)}
}

// post sends a release and returns what was answered.
func (h hooked) post(service, body string, header ...string) (int, map[string]any) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+service, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer the-token-of-this-test")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	var answer map[string]any
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		h.t.Fatalf("%d: %v: %s", response.StatusCode, err, text)
	}
	return response.StatusCode, answer
}

func TestAReleaseOverHTTPGoesTheWayOfABarePublish(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("with a daemon", func(t *testing.T) {
		h := newHooked(t)
		h.do("flags", "set", "cart-version", "1.0.0")
		stored := func(body, id string, duplicate bool, header ...string) map[string]any {
			t.Helper()
			status, answer := h.post("cart", body, header...)
			if status != http.StatusAccepted || answer["ok"] != true || id != "" && answer["id"] != id || answer["duplicate"] != duplicate {
				t.Errorf("%s %v: %d %v", body, header, status, answer)
			}
			return answer
		}
		until := func(version, id string) string {
			t.Helper()
			e := h.until("cart", func(r steps.Rollout) bool { return r.Version == version && r.Phase == steps.Baking })
			if e.State.Release.ID != id {
				t.Errorf("%s has the id %s, not %s", version, e.State.Release.ID, id)
			}
			return e.State.Rollout.ID
		}
		stored(`{"version":"1.1.0","author":"ada"}`, "k1", false, "Idempotency-Key", "k1")
		rollout := until("1.1.0", "k1")
		if again := stored(`{"version":"1.1.0","author":"ada"}`, "k1", true, "Idempotency-Key", `"k1"`); again["rollout"] != rollout {
			t.Errorf("the same key: %v, not %s", again, rollout)
		}
		stored(`{"version":"1.2.0","id":"own"}`, "own", false, "Idempotency-Key", "k2")
		until("1.2.0", "own")
		stored(`{"version":"1.3.0"}`, "e 1", false, "Ce-Specversion", "1.0", "Ce-Id", "e%201", "Ce-Source", "ci", "Ce-Type", "release")
		until("1.3.0", "e 1")
		stored(`{"specversion":"1.0","id":"e2","source":"ci","type":"release","data":{"version":"1.4.0"}}`, "e2", false, "Content-Type", "application/cloudevents+json")
		until("1.4.0", "e2")

		// Without any id it is another attempt once it was taken back, as a bare publish is.
		id := stored(`{"version":"1.5.0"}`, "", false)["id"].(string)
		first := until("1.5.0", id)
		h.do("abort", "cart")
		h.until("cart", in(steps.Ended))
		stored(`{"version":"1.5.0"}`, id, false)
		if second := until("1.5.0", id); second == first {
			t.Error("no second attempt")
		}

		for body, reason := range map[string]string{`{"version":""}`: "invalid", `no JSON`: "malformed", `{"version":"1","start_step":2}`: "not_allowed", `{"version":"1","service":"other"}`: "mismatch", "\xff": "malformed"} {
			if status, answer := h.post("cart", body); status != http.StatusUnprocessableEntity || answer["reason"] != reason || answer["error"] == "" {
				t.Errorf("%q: %d %v", body, status, answer)
			}
		}
		if status, answer := h.post("nosuch", `{"version":"1"}`); status != http.StatusUnprocessableEntity || answer["reason"] != "no_policy" {
			t.Errorf("a service without a policy: %d %v", status, answer)
		}
		if status, _ := h.post("cart", "{}", "Authorization", "Bearer another"); status != http.StatusUnauthorized {
			t.Errorf("another token: %d", status)
		}
		letters, err := h.d.js.Stream(t.Context(), h.d.names.Stream(jetstream.DLQStream))
		if err != nil || letters.CachedInfo().State.Msgs > 0 {
			t.Errorf("dead letters: %v, %+v", err, letters)
		}
	})
}

func TestAnIntakeTakesNewTokensAndSaysWhenNATSIsAway(t *testing.T) {
	h := newHooked(t)
	if err := os.WriteFile(h.tokens, []byte("the-next-token-of-this-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	deadline, again := time.After(30*time.Second), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		if status, _ := h.post("nosuch", `{"version":"1"}`, "Authorization", "Bearer the-next-token-of-this-test"); status != http.StatusUnauthorized {
			break
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("the file is not read again")
		}
	}
	if status, _ := h.post("nosuch", `{"version":"1"}`); status != http.StatusUnauthorized {
		t.Errorf("the old token: %d", status)
	}
	nc, err := h.d.server.Connect(t.Context(), jetstream.ClientOptions{Name: "closed"})
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	d := &daemon{cfg: h.d.cfg, nc: nc, js: h.d.js, names: h.d.names, journal: h.d.journal, worker: h.d.worker}
	if _, err := d.publishHook(t.Context(), hookOf("cart", `{"version":"1"}`)); err == nil || !strings.Contains(err.Error(), "NATS is away") {
		t.Errorf("NATS is away: %v", err)
	}
}

func TestAnIntakeForOtherMachinesNeedsATokenFile(t *testing.T) {
	dir := t.TempDir()
	env := Env{Dir: dir}
	if err := os.WriteFile(filepath.Join(dir, "short"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    intakeFlags
		want string
	}{
		{intakeFlags{}, ""},
		{intakeFlags{address: "127.0.0.1:0"}, ""},
		{intakeFlags{address: "0.0.0.0:0"}, "--intake 0.0.0.0:0 can be reached from other machines: add --intake-token-file FILE"},
		{intakeFlags{address: ":0"}, "can be reached from other machines"},
		{intakeFlags{address: "0"}, "is no address"},
		{intakeFlags{address: ":0", tokenFile: "nothing"}, "read the intake tokens"},
		{intakeFlags{address: "127.0.0.1:0", tokenFile: "short"}, "must hold intake tokens of 16 characters or more"},
	} {
		if err := c.f.check(env); (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%+v: %v, want %q", c.f, err, c.want)
		}
	}
}
