//go:build e2e

package flagclients

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagstest"
	"github.com/serin-cd/serin/flags/webhook"
)

func TestReceiverOnNodeIsAStore(t *testing.T) {
	const secret = "whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBjaGFyYWN0ZXJz"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	flagstest.Run(t, func(t *testing.T) flags.Store {
		cmd := exec.CommandContext(t.Context(), "node", "../../deployments/examples/flag-webhook.mjs", secret, "0")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = lines.WriteTo(io.Discard) }()
		port := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
		s, err := webhook.New(flags.Source{Kind: flags.Webhook, URL: "http://127.0.0.1:" + port, SecretFile: file}, &http.Client{}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
