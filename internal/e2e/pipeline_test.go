//go:build e2e && unix

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pipelinePolicies are services that end in different ways. The rule of a service is a query with its name, which the
// pipeline's Prometheus answers.
const pipelinePolicies = `
service: good
traffic: {version_flag: good-version}
steps: [{weight: 50, bake: 1s}, {weight: 100, bake: 1s}]
ready: none
defaults: {interval: 1s, window: 1s, for: 1s}
rules: [{name: up, query: up_good, min: 1}]
---
service: bad
traffic: {version_flag: bad-version}
steps: [{weight: 50, bake: 1s}, {weight: 100, bake: 1s}]
ready: none
recovery: 1s
defaults: {interval: 1s, window: 1s, for: 1s}
rules: [{name: up, query: up_bad, min: 1}]
---
service: stuck
traffic: {exec: {set: [SCRIPT, "{{percent}}"], read: [cat, SHARE]}}
steps: [{weight: 50, bake: 1s}, {weight: 100, bake: 1s}]
ready: none
confirm_within: 1s
recovery: 1s
defaults: {interval: 1s, window: 1s, for: 1s}
rules: [{name: up, query: up_bad, min: 1}]
---
service: slow
traffic: {version_flag: slow-version}
steps: [{weight: 5, bake: 1h, approval: manual}, {weight: 100, bake: 1h}]
ready: none
recovery: 1s
defaults: {interval: 1s, window: 1s}
rules: [{name: up, query: up_good, min: 1}]
---
service: unready
traffic: {version_flag: unready-version}
ready: {query: 'up_bad == 1', within: 1s}
defaults: {interval: 1s, window: 1s}
rules: [{name: up, query: up_good, min: 1}]
`

// newPipelines is a world of `serin serve` and a NATS server, with a Prometheus that says 0 about what is bad and 1 about
// all else. It has the flags of its services.
func newPipelines(t *testing.T) (*world, *process) {
	t.Helper()
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := 1
		if strings.Contains(r.FormValue("query"), "up_bad") {
			value = 0
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"%d"]}]}}`, time.Now().Unix(), value)
	}))
	t.Cleanup(prometheus.Close)
	share := write(t, "share", "0")
	script := write(t, "set.sh", "#!/bin/sh\n[ \"$1\" != 0 ] || exit 1 # it never goes back\necho \"$1\" >%s\n", share)
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	w := &world{slack: newSlack(t), asks: prometheus.URL,
		policy: write(t, "policy.yaml", "%s", strings.NewReplacer("SCRIPT", script, "SHARE", share).Replace(pipelinePolicies))}
	server, url := startNATSAt(t, freeAddress(t), t.TempDir())
	w.reach(t, url, token, "--nats", url, "--token-file", write(t, "token", "%s", token))
	return w, server
}

// setFlags makes the flags of the services that have one.
func (w *world) setFlags(t *testing.T) {
	t.Helper()
	for _, service := range []string{"good", "bad", "slow", "unready"} {
		w.do(t, "flags", "set", service+"-version", "1.0.0")
	}
}

// startNATSAt runs the nats-server of our go.mod at an address, on what a directory has.
func startNATSAt(t *testing.T, address, dir string) (*process, string) {
	t.Helper()
	config := write(t, "nats.conf", "listen: %q\nauthorization {token: %q}\njetstream {store_dir: %q, sync_interval: always}\n", address, token, dir)
	p := start(t, "nats-server", filepath.Join(bin, "nats-server"), "-c", config)
	p.says(t, `(Server is ready)`)
	return p, "nats://" + address
}

// step is a step of a pipeline: a script for a shell, which finds serin on its PATH and NATS in its environment.
func (w *world) step(t *testing.T, script string, env ...string) *process {
	t.Helper()
	return start(t, "pipeline step", append(append([]string{"env"}, w.pipelineEnv(env...)...), "sh", "-euc", script)...)
}

func (w *world) pipelineEnv(more ...string) []string {
	return append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "SERIN_NATS=" + w.nats[1], "SERIN_TOKEN=" + token}, more...)
}

// exits waits for the end of a step, and checks its status and what it said.
func exits(t *testing.T, p *process, want int, words ...string) {
	t.Helper()
	if got := p.exit(t, time.Minute); got != want {
		t.Errorf("%s: exit status %d, want %d: %s", p.name, got, want, p.out.String())
	}
	for _, w := range words {
		if !strings.Contains(p.out.String(), w) {
			t.Errorf("%s says no %q: %s", p.name, w, p.out.String())
		}
	}
}
