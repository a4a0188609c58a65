//go:build e2e

package flagclients

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	ucontext "github.com/Unleash/unleash-client-go/v4/context"

	unleashclient "github.com/Unleash/unleash-client-go/v4"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/unleash"
)

const (
	unleashAdmin    = "*:*.serin-e2e-admin"
	unleashClient   = "default:production.serin-e2e-client"
	unleashFrontend = "default:production.serin-e2e-frontend"
	unleashRefresh  = 500 * time.Millisecond
)

// unleashWorld is Unleash itself over PostgreSQL.
type unleashWorld struct {
	url    string
	source flags.Source
}

func newUnleashWorld(t *testing.T) unleashWorld {
	t.Helper()
	began := time.Now()
	database := startPostgres(t)
	port := freePort(t)
	w := unleashWorld{url: "http://127.0.0.1:" + port}
	run(t, nil, []string{
		"DATABASE_URL=postgres://postgres@127.0.0.1:" + database + "/unleash", "DATABASE_SSL=false", "HTTP_HOST=127.0.0.1", "PORT=" + port,
		"CHECK_VERSION=false", "SEND_TELEMETRY=false", "INIT_ADMIN_API_TOKENS=" + unleashAdmin,
		"INIT_CLIENT_API_TOKENS=" + unleashClient, "INIT_FRONTEND_API_TOKENS=" + unleashFrontend,
	}, "node", "node_modules/unleash-server/dist/server.js")
	until(t, "Unleash is healthy", func() bool {
		resp, err := http.Get(w.url + "/health")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	t.Logf("PostgreSQL and Unleash are up after %s", time.Since(began).Round(100*time.Millisecond))
	dir := t.TempDir()
	w.source = flags.Source{
		Kind: flags.Unleash, URL: w.url, Project: "default", Environment: "production",
		TokenFile: filepath.Join(dir, "admin"), ReadKeyFile: filepath.Join(dir, "frontend"),
	}
	for file, token := range map[string]string{w.source.TokenFile: unleashAdmin, w.source.ReadKeyFile: unleashFrontend} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// startPostgres is a new, empty database server with a database for Unleash; it refuses to run as root.
func startPostgres(t *testing.T) (port string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: make deps-e2e")
	}
	if _, err := os.Stat("node_modules/unleash-server"); err != nil {
		t.Skip("npm's packages are not installed: make deps-e2e")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "serin-postgres-") // the folders above t.TempDir are root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 {
		postgres, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(postgres.Uid)
		gid, _ := strconv.Atoi(postgres.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port = freePort(t)
	run(t, as, nil, filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	until(t, "PostgreSQL takes a database", func() bool {
		return exec.CommandContext(t.Context(), filepath.Join(bin, "createdb"), "-h", "127.0.0.1", "-p", port, "-U", "postgres", "unleash").Run() == nil
	})
	return port
}

// run starts a program until the test is over; its output is shown when the test fails.
func run(t *testing.T, as *syscall.SysProcAttr, env []string, argv ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &out, &out, as
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}, env...)
	if as != nil {
		cmd.Dir = "/"
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if timer.Stop(); t.Failed() {
			t.Logf("=== %s\n%.5000s", argv[0], out.String())
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never came to this: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// store is Serin's store, straight or through a proxy.
func (w unleashWorld) store(t *testing.T, url string) *unleash.Unleash {
	t.Helper()
	source := w.source
	source.URL = url
	u, err := unleash.New(source, nil)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// admin asks Unleash as a person's browser does.
func (w unleashWorld) admin(t testing.TB, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequest(method, w.url+"/api/admin/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", unleashAdmin)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data)
}

// create makes a new flag, off and without strategies.
func (w unleashWorld) create(t testing.TB, flag string) {
	t.Helper()
	if status, answer := w.admin(t, "POST", "projects/default/features", fmt.Sprintf(`{"name":%q,"type":"release"}`, flag)); status != http.StatusCreated {
		t.Fatalf("create flag %s: %d %s", flag, status, answer)
	}
}

// unleashReader is a client of Unleash: who of so many users is on, as a 1 or a 0 each.
type unleashReader func(flag string, users int) string

func (w unleashWorld) goClient(t *testing.T) unleashReader {
	t.Helper()
	c, err := unleashclient.NewClient(
		unleashclient.WithUrl(w.url+"/api"), unleashclient.WithAppName("serin-e2e"), unleashclient.WithBackupPath(t.TempDir()),
		unleashclient.WithCustomHeaders(http.Header{"Authorization": {unleashClient}}),
		unleashclient.WithRefreshInterval(unleashRefresh), unleashclient.WithDisableMetrics(true),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.WaitForReady()
	return func(flag string, users int) string {
		on := make([]byte, users)
		for n := range on {
			on[n] = '0'
			if c.IsEnabled(flag, unleashclient.WithContext(ucontext.Context{UserId: fmt.Sprintf("serin-user-%d", n)})) {
				on[n] = '1'
			}
		}
		return string(on)
	}
}

func (w unleashWorld) nodeClient(t *testing.T) unleashReader {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "unleash-client.mjs", w.url+"/api", unleashClient, strconv.Itoa(int(unleashRefresh.Milliseconds())))
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
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(out)
	read := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("Unleash's client on Node: %v", err)
		}
		return strings.TrimSpace(line)
	}
	if line := read(); line != "ready" {
		t.Fatalf("Unleash's client on Node says %q", line)
	}
	return func(flag string, users int) string {
		fmt.Fprintln(in, "count", flag, users)
		return read()
	}
}
