package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

// evaluating answers by OFREP for the flagd document in a file, as a flagd does that follows it.
func evaluating(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/ofrep/v1/evaluate/flags/")
		var asked struct{ Context map[string]any }
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.NewDecoder(r.Body).Decode(&asked)
		}
		var flag flags.Flag
		if err == nil {
			var doc flags.Document
			if doc, err = flags.ParseDocument(text); err == nil {
				flag, err = doc.Flag(key)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		got := flag.Evaluate(asked.Context, time.Now)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"key": key, "value": got.Value, "variant": got.Variant, "reason": got.Reason})
	})
}

const filePolicy = `
service: shop
prometheus: PROMETHEUS
traffic: {flag: new-shop}
flags: {file: {path: FILE, ofrep: OFREP}}
steps: [{weight: 5, bake: 1h, approval: manual}, {weight: 100, bake: 1h}]
defaults: {interval: 1s, window: 1s}
rules: [{name: up, query: 'up{version="{{version}}",variant="{{variant}}"}', min: 1}]
`

// TestARolloutMovesAFlagThatAFlagdFileKeeps goes from the policy to the file and, past NATS, back to off.
func TestARolloutMovesAFlagThatAFlagdFileKeeps(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("and a kill reaches it without NATS", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "flags.json")
		const before = `{"flags": {"new-shop": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}, "other": {"state": "ENABLED", "variants": {"a": 1.0}}}}`
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		endpoint := httptest.NewServer(evaluating(path))
		defer endpoint.Close()
		o := newOrdered(t, strings.NewReplacer("FILE", path, "OFREP", endpoint.URL).Replace(filePolicy))
		o.do("release", "shop", "1.1.0")
		e := o.until("shop", in(steps.Baking))
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), `["on",500]`) || !strings.Contains(string(text), `"other": {"state": "ENABLED", "variants": {"a": 1.0}}`) {
			t.Errorf("%v: the file says\n%s", err, text)
		}
		code, said := o.serin("flags", "kill", "new-shop", "--direct", "--policy", "policies-2.yaml", "--nats", "nats://127.0.0.1:1")
		if code != exitOK || !strings.Contains(said, "serves off to all: ") || !strings.Contains(said, "no record was kept") || !strings.Contains(said, e.Rollout) {
			t.Errorf("kill: %d: %s", code, said)
		}
		o.do("abort", "shop")
		o.until("shop", in(steps.Ended))
		if code, said := o.serin("flags", "get", "new-shop", "--policy", "policies-2.yaml"); code != exitOK || !strings.Contains(said, `"serinKilled": true`) {
			t.Errorf("get: %d: %s", code, said)
		}
		if code, said := o.serin("flags", "log", "new-shop"); code != exitOK || !strings.Contains(said, "now off, and on to 5 %, was off to all; confirmed") {
			t.Errorf("log: %d: %s", code, said)
		}
	})
}
