package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of thirty-two characters")

func secretFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encoded(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

// open is a store in front of a handler.
func open(t *testing.T, h http.Handler) *webhook.Store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return storeAt(t, server.URL, secretFile(t, encoded(secret)))
}

func storeAt(t *testing.T, url, secretFile string) *webhook.Store {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s, err := webhook.New(flags.Source{Kind: flags.Webhook, URL: url, SecretFile: secretFile}, client, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newReceiver() *receiver {
	return &receiver{Secret: secret, states: map[string]string{}, Move: func(string, string, string, string, int) error { return nil }}
}

func fence(seq uint64) flags.Fence {
	return flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 3, Seq: seq}
}

func TestReceiverOfTheExampleIsAStore(t *testing.T) {
	flagstest.Run(t, func(t *testing.T) flags.Store { return open(t, newReceiver()) })
}

func TestReceiverIsToldWhoGetsWhat(t *testing.T) {
	type move struct {
		Environment, Flag, Variant, Base string
		Share                            int
	}
	var got []move
	r := newReceiver()
	r.Move = func(environment, flag, variant, base string, share int) error {
		got = append(got, move{environment, flag, variant, base, share})
		return nil
	}
	r.states["production/shop.checkout"] = ""
	s := open(t, r)
	for _, e := range []flags.Edit{
		flags.Ramp{Fence: fence(1), Share: 500}, flags.Ramp{Fence: fence(2), Share: 10000}, flags.Kill{Fence: fence(3)},
	} {
		if _, err := flags.Apply(t.Context(), s, flagstest.Key, e); err != nil {
			t.Fatal(err)
		}
	}
	var want []move
	for _, share := range []int{500, 10000, 0} {
		want = append(want, move{"production", "shop.checkout", "on", "off", share})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequestHasEverythingThatThePageNames(t *testing.T) {
	var last map[string]any
	var header http.Header
	r := newReceiver()
	r.states["production/shop.checkout"] = ""
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		last, header = nil, req.Header
		_ = json.Unmarshal(body, &last)
		req.Body = io.NopCloser(bytes.NewReader(body))
		r.ServeHTTP(w, req)
	}))
	change, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Ramp{Fence: fence(2), Share: 550})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "flag.set", "flag": "shop.checkout", "environment": "production", "variant": "on", "base": "off", "share": 550.0, "percent": 5.5,
		"kill": false, "rollout": "r-1", "slot": "production/shop", "generation": 3.0, "seq": 2.0, "state": string(change.After.Bytes()), "previous": "",
	}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Error(diff)
	}
	if header.Get("Idempotency-Key") == "" || header.Get("Idempotency-Key") != header.Get("Webhook-Id") || header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", header)
	}
}

func TestVersionFlagBeginsFromWhatIsServed(t *testing.T) {
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"state":"","serves":{"variant":"v1","base":"v1","share":0}}`)
	}))
	f, revision, err := s.Get(t.Context(), flagstest.Key)
	if err != nil || revision == 0 || f.Kind() != flags.Version {
		t.Fatalf("kind %q at %d, %v", f.Kind(), revision, err)
	}
	if err := flags.CheckRamp(f, "v2", "v1"); err != nil {
		t.Error(err)
	}
}

func TestWhatSomebodyElseChangedIsSeenByARampAndOverwrittenByAKill(t *testing.T) {
	r, served := newReceiver(), ""
	r.states["production/shop.checkout"] = ""
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if served != "" && bytes.Contains(body, []byte(`"flag.get"`)) {
			text, _ := json.Marshal(r.states["production/shop.checkout"])
			fmt.Fprintf(w, `{"state":%s,"serves":%s}`, text, served)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		r.ServeHTTP(w, req)
	}))
	apply := func(e flags.Edit) error { _, err := flags.Apply(t.Context(), s, flagstest.Key, e); return err }
	if err := apply(flags.Ramp{Fence: fence(1), Share: 500}); err != nil {
		t.Fatal(err)
	}
	served = `{"variant":"on","base":"off","share":500}`
	if err := apply(flags.Ramp{Fence: fence(2), Share: 2500}); err != nil {
		t.Errorf("what Serin wrote is served: %v", err)
	}
	served = `{"variant":"on","base":"off","share":9000}`
	if err := apply(flags.Ramp{Fence: fence(3), Share: 5000}); !errors.Is(err, flags.ErrStranger) {
		t.Errorf("%v, want ErrStranger", err)
	}
	if err := apply(flags.Kill{Fence: fence(4)}); err != nil {
		t.Error(err)
	}
	if state := r.states["production/shop.checkout"]; !strings.Contains(state, `"serinKilled":true`) {
		t.Errorf("state %s", state)
	}
}

func TestLostAnswerOfAWriteThatLandedIsNoConflict(t *testing.T) {
	r, sets := newReceiver(), 0
	var ids []string
	r.states["production/shop.checkout"] = ""
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte(`"flag.set"`)) {
			ids = append(ids, req.Header.Get("Idempotency-Key"))
			if sets++; sets == 1 {
				r.ServeHTTP(httptest.NewRecorder(), req)
				panic(http.ErrAbortHandler) // the connection breaks
			}
		}
		r.ServeHTTP(w, req)
	}))
	change, err := flags.Apply(t.Context(), s, flagstest.Key, flags.Ramp{Fence: fence(1), Share: 500})
	if err != nil || !change.Written {
		t.Fatalf("%+v, %v", change, err)
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("keys of the tries %v", ids)
	}
	if _, revision, err := s.Get(t.Context(), flagstest.Key); err != nil || revision != change.Revision {
		t.Errorf("revision %d, %v; want %d", revision, err, change.Revision)
	}
}

func TestOverloadedReceiverIsAskedAgainAfterTheTimeItNames(t *testing.T) {
	var asked atomic.Int32
	var first, second time.Time
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		second = time.Now()
		fmt.Fprint(w, `{"state":""}`)
	}))
	if _, _, err := s.Get(t.Context(), flagstest.Key); err != nil {
		t.Fatal(err)
	}
	if waited := second.Sub(first); waited < 900*time.Millisecond {
		t.Errorf("asked again after %v", waited)
	}
	asked.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, _, err := s.Get(ctx, flagstest.Key); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("%v, want 429: the context ends before", err)
	}
}

func TestStatusesMeanWhatThePageSays(t *testing.T) {
	const token = "\x1b[31mno\nway"
	for status, want := range map[int]string{404: flags.ErrNotFound.Error(), 409: flags.ErrConflict.Error(), 401: "answers 401: [31mno way", 302: "a redirect is not followed"} {
		var asked atomic.Int32
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
			fmt.Fprint(w, token)
		}))
		_, _, err := s.Get(t.Context(), flagstest.Key)
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%d: %q, want %q", status, err, want)
		}
		if asked.Load() != 1 {
			t.Errorf("%d: asked %d times", status, asked.Load())
		}
	}
}

func TestFlagWithUsersOwnTargetingIsRefused(t *testing.T) {
	s := open(t, newReceiver())
	f := flagstest.MustParse(t, `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"a"},1]},"on"]}}`)
	if _, err := s.Update(t.Context(), flagstest.Key, f, 0); !errors.Is(err, flags.ErrKind) {
		t.Errorf("%v, want ErrKind", err)
	}
}

func TestSecretsAreReadAtEachRequestAndTwoAreUsedDuringAChange(t *testing.T) {
	r := newReceiver()
	r.states["production/shop.checkout"] = ""
	server := httptest.NewServer(r)
	defer server.Close()
	other := []byte("another secret, of the same length")
	path := secretFile(t, encoded(other))
	s := storeAt(t, server.URL, path)
	ask := func() error { _, _, err := s.Get(t.Context(), flagstest.Key); return err }
	if err := ask(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with another secret: %v, want 401", err)
	}
	if err := os.WriteFile(path, []byte(encoded(other)+"\n"+encoded(secret)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Errorf("with both secrets: %v", err)
	}
}

func TestBadSecretIsNamedByItsFileAndNotShown(t *testing.T) {
	for content, want := range map[string]string{"": "empty", "hunter2": "shorter than 24", "whsec_%%%%": "not base64"} {
		path := secretFile(t, content)
		_, _, err := storeAt(t, "http://127.0.0.1:1", path).Get(t.Context(), flagstest.Key)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := webhook.New(flags.Source{Kind: flags.Webhook, URL: "http://x"}, nil, time.Now); err == nil {
		t.Error("a webhook without a secret is accepted")
	}
}
