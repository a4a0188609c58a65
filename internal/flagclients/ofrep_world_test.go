//go:build e2e

package flagclients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-cd/serin/flags"
)

const ofrepToken = "a-token-of-the-end-to-end-tests"

// ofrepWorld is `serin serve` itself, with its own NATS server and OFREP at a port of its own.
type ofrepWorld struct {
	url string // of OFREP
	nc  *bufio.ReadWriter
	seq uint64
	log *heard
}

// heard is what a process says, line by line.
type heard struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan struct{}
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case h.lines <- struct{}{}:
	default:
	}
	return h.text.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// find waits for what matches, and returns its first group.
func (h *heard) find(t *testing.T, pattern string) string {
	t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(20*time.Second)
	for {
		if m := re.FindStringSubmatch(h.String()); m != nil {
			return m[1]
		}
		select {
		case <-h.lines:
		case <-late:
			t.Fatalf("no %q in:\n%s", pattern, h)
		}
	}
}

const ofrepPolicy = `service: checkout
prometheus: http://127.0.0.1:1
traffic: {version_flag: checkout-version}
rules:
  - name: error-rate
    bad: http_requests_total{version="{{version}}",code=~"5.."}
    total: http_requests_total{version="{{version}}"}
    max: 5%
`

func newOFREPWorld(t *testing.T) *ofrepWorld {
	t.Helper()
	dir := t.TempDir()
	serin := filepath.Join(dir, "serin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", serin, "./cmd/serin")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build serin: %v\n%s", err, out)
	}
	for name, text := range map[string]string{"policy.yaml": ofrepPolicy, "tokens": ofrepToken + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &ofrepWorld{log: &heard{lines: make(chan struct{}, 1)}}
	cmd := exec.Command(serin, "serve", "--policies", "policy.yaml", "--data", "data", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--ofrep", "127.0.0.1:0", "--ofrep-token-file", "tokens")
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.Stderr, cmd.Stdout = w.log, w.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		began := time.Now()
		_ = cmd.Process.Signal(os.Interrupt)
		err := cmd.Wait()
		t.Logf("serin ended in %s: %v", time.Since(began).Round(time.Millisecond), err)
		if err != nil || strings.Contains(w.log.String(), ofrepToken) {
			t.Errorf("it failed, or told a token:\n%s", w.log)
		}
	})
	w.url = "http://" + w.log.find(t, `serving OFREP" address=(\S+)`)
	w.connect(t, filepath.Join(dir, "data", "endpoint.json"))
	return w
}

// connect speaks NATS' protocol by hand: its client is no module of this one.
func (w *ofrepWorld) connect(t *testing.T, endpoint string) {
	t.Helper()
	var at struct{ URL, Token string }
	text, err := os.ReadFile(endpoint)
	if err == nil {
		err = json.Unmarshal(text, &at)
	}
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(at.URL, "nats://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address[strings.Index(address, "@")+1:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	w.nc = bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	w.send(t, fmt.Sprintf("CONNECT {\"verbose\":false,\"auth_token\":%q}\r\nSUB _INBOX.test 1\r\n", at.Token))
}

func (w *ofrepWorld) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(w.nc, text); err != nil {
		t.Fatal(err)
	}
	if err := w.nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// put writes a flag into the bucket, and returns when the server has stored it.
func (w *ofrepWorld) put(t *testing.T, f flags.Flag) (stored time.Time) {
	t.Helper()
	text := f.Bytes()
	w.send(t, fmt.Sprintf("PUB $KV.serin_flags.production.%s _INBOX.test %d\r\n%s\r\n", f.Key(), len(text), text))
	for {
		line, err := w.nc.ReadString('\n')
		switch {
		case err != nil || strings.HasPrefix(line, "-ERR"):
			t.Fatalf("%s %v", line, err)
		case strings.HasPrefix(line, "PING"):
			w.send(t, "PONG\r\n")
		case strings.HasPrefix(line, "{") && strings.Contains(line, `"seq"`):
			return time.Now()
		case strings.HasPrefix(line, "{"):
			t.Fatal(line)
		}
	}
}

// edit carries an edit of Serin's into the bucket, and returns when it was stored.
func (w *ofrepWorld) edit(t *testing.T, f *flags.Flag, e flags.Edit) time.Time {
	t.Helper()
	next, err := e.Edit(*f)
	if err != nil {
		t.Fatal(err)
	}
	*f = next
	return w.put(t, next)
}

func (w *ofrepWorld) fence() flags.Fence {
	w.seq++
	return flags.Fence{Rollout: "r-1", Slot: "production/checkout", Generation: 1, Seq: w.seq}
}

// ofrepNode is the clients for JavaScript.
type ofrepNode struct {
	in  io.Writer
	out *bufio.Scanner
}

func (w *ofrepWorld) node(t *testing.T) ofrepNode {
	t.Helper()
	if _, err := os.Stat("node_modules/@openfeature"); err != nil {
		t.Skip("npm ci has not run in internal/flagclients")
	}
	cmd := exec.Command("node", "--experimental-eventsource", "--no-warnings", "ofrep-client.mjs", w.url, ofrepToken)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	n := ofrepNode{in, bufio.NewScanner(out)}
	n.out.Buffer(nil, 1<<20)
	if line := n.line(t); line != "ready" {
		t.Fatal(line)
	}
	return n
}

func (n ofrepNode) line(t *testing.T) string {
	t.Helper()
	if !n.out.Scan() {
		t.Fatalf("node has ended: %v", n.out.Err())
	}
	return n.out.Text()
}

func (n ofrepNode) ask(t *testing.T, command string) string {
	t.Helper()
	if _, err := fmt.Fprintln(n.in, command); err != nil {
		t.Fatal(err)
	}
	return n.line(t)
}
