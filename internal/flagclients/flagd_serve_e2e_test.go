//go:build e2e

package flagclients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags/flagdsync"
)

const flagdPolicy = `service: checkout
prometheus: http://127.0.0.1:1
traffic: {version_flag: checkout-version}
rules:
  - name: error-rate
    bad: http_requests_total{version="{{version}}",code=~"5.."}
    total: http_requests_total{version="{{version}}"}
    max: 5%
`

// A provider follows the flags of a `serin serve` that keeps them itself: from NATS to the provider's sight.
func TestProviderFollowsTheFlagsOfServe(t *testing.T) {
	dir := t.TempDir()
	serin, log := filepath.Join(dir, "serin"), filepath.Join(dir, "log")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", serin, "./cmd/serin")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build serin: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(flagdPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), serin, args...) // ended below, in its own time
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		return cmd
	}
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	serve := command("serve", "--policies", "policy.yaml", "--data", "data", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--flagd-sync", "127.0.0.1:0")
	serve.Stderr = out
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Signal(os.Interrupt)
		if err := serve.Wait(); err != nil {
			t.Errorf("serin: %v", err)
		}
	})
	set := func(value string) {
		if text, err := command("flags", "set", flagdFlag, value, "--data", "data").CombinedOutput(); err != nil {
			t.Fatalf("set %s: %v\n%s", value, err, text)
		}
	}
	port := flagdPort(t, log)
	set("off")
	node := newOnNode(t, flagdSource{mode: "sync", where: port})
	for i, value := range []string{"off", "on", "off"} {
		if i > 0 {
			set(value)
		}
		began := time.Now()
		node.wait(t, flagdsync.RevisionKey, string(rune('1'+i)))
		t.Logf("%s is seen %v after serin flags set has ended", value, time.Since(began).Round(time.Millisecond))
		if got, want := node.count(t), map[string]string{"on": "1", "off": "0"}[value]; got != strings.Repeat(want, flagdUsers) {
			t.Errorf("%s: %d of %d are on", value, strings.Count(got, "1"), flagdUsers)
		}
	}
}

// flagdPort waits for the port that the daemon says it serves at.
func flagdPort(t *testing.T, log string) string {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); time.Now().Before(end); <-tick.C {
		text, _ := os.ReadFile(log)
		if _, after, ok := strings.Cut(string(text), `serving flagd sync" address=127.0.0.1:`); ok && strings.Contains(after, " ") {
			return after[:strings.Index(after, " ")]
		}
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("no flagd sync in\n%s", text)
	return ""
}
