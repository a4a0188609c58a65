//go:build e2e && unix

package traffic_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-cd/serin/steps"
	"github.com/serin-cd/serin/steps/traffic"
	"github.com/serin-cd/serin/steps/traffic/traffictest"
)

const examples = "../../deployments/examples/nginx"

// proxy is a real nginx that runs the example's files on free ports, before two backends that say who they are.
type proxy struct {
	exec traffic.Exec
	url  string
	dir  string
	http http.Client
}

func startNginx(t *testing.T) *proxy {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not on the PATH")
	}
	p := &proxy{dir: t.TempDir()}
	front, status := freeAddress(t), freeAddress(t)
	p.url = "http://" + front
	p.http.Transport = &http.Transport{MaxIdleConnsPerHost: 4}
	split := filepath.Join(p.dir, "checkout.split")
	p.write(t, "checkout.split", example(t, "checkout.split"))
	p.write(t, "nginx.conf", "daemon off; pid nginx.pid; error_log error.log; worker_processes 2;\n"+
		"events { worker_connections 512; }\nhttp { access_log off;\n"+
		strings.NewReplacer("127.0.0.1:8081", backend(t, "stable"), "127.0.0.1:8082", backend(t, "canary"),
			"listen 80", "listen "+front, "127.0.0.1:8089", status,
			"/etc/nginx/serin/checkout.split", split).Replace(example(t, "checkout.conf"))+"\n}\n")
	command := []string{binary, "-p", p.dir, "-c", filepath.Join(p.dir, "nginx.conf"), "-e", filepath.Join(p.dir, "error.log")}
	p.run(t, command)
	scripts, err := filepath.Abs(examples)
	if err != nil {
		t.Fatal(err)
	}
	p.exec = traffic.Exec{
		Set:  append([]string{filepath.Join(scripts, "set-weight.sh"), "{{percent}}", split}, command...),
		Read: []string{filepath.Join(scripts, "read-weight.sh"), "http://" + status + "/weight/checkout"},
	}
	return p
}

// run keeps nginx in the foreground until the test is over.
func (p *proxy) run(t *testing.T, command []string) {
	var said bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.http.CloseIdleConnections()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(p.dir, "error.log"))
			t.Logf("nginx: %s%s", said.String(), log)
		}
	})
	for began := time.Now(); ; {
		if _, err := p.ask("0"); err == nil {
			return
		} else if time.Since(began) > 10*time.Second {
			t.Fatalf("nginx is not ready: %v", err)
		}
	}
}

func (p *proxy) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func backend(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ask sends one request of a user, and returns which backend answered.
func (p *proxy) ask(user string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, p.url, nil)
	if err != nil {
		return "", err
	}
	request.AddCookie(&http.Cookie{Name: "uid", Value: user})
	response, err := p.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	return body.String(), nil
}

const users = 1000

// canary is the users who see the new version.
func (p *proxy) canary() (map[int]bool, error) {
	seen := map[int]bool{}
	for user := range users {
		who, err := p.ask("user-" + strconv.Itoa(user))
		if err != nil {
			return nil, err
		}
		if who == "canary" {
			seen[user] = true
		}
	}
	return seen, nil
}

func (p *proxy) probe() traffictest.Probe {
	return traffictest.Probe{
		Share: func() (steps.Share, error) {
			seen, err := p.canary()
			return steps.Share(len(seen) * int(steps.All) / users), err
		},
		Within: 300, // the users are fixed, and so is their hash: the figure is the same in every run
		Settle: 5 * time.Second,
	}
}

func TestNginxIsAMover(t *testing.T) {
	traffictest.Run(t, func(t *testing.T) (traffictest.Exposer, traffictest.Probe) {
		p := startNginx(t)
		return p.exec, p.probe()
	})
}

func TestNginxMovesNobodyBackWhileTheShareGrows(t *testing.T) {
	p := startNginx(t)
	before := map[int]bool{}
	for _, share := range []steps.Share{500, 2500, 5000, steps.All} {
		p.settle(t, share)
		now, err := p.canary()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%v asked for: %d of %d users see the new version", share, len(now), users)
		for user := range before {
			if !now[user] {
				t.Errorf("at %v user %d went back", share, user)
			}
		}
		before = now
	}
}

// settle exposes until it is confirmed, and then until the workers of before take no more connections.
func (p *proxy) settle(t *testing.T, share steps.Share) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for confirmed := false; !confirmed; {
		seen, err := p.exec.Expose(ctx, steps.Exposure{Share: share})
		if err != nil {
			t.Fatal(err)
		}
		confirmed = seen.Confirmed
	}
	p.http.CloseIdleConnections()
	for began := time.Now(); time.Since(began) < 5*time.Second; {
		got, err := p.probe().Share()
		if err == nil && got >= share-300 && got <= share+300 {
			return
		}
	}
	t.Fatalf("the share is not %v", share)
}

func TestABrokenConfigurationChangesNothing(t *testing.T) {
	p := startNginx(t)
	p.settle(t, 2500)
	split := filepath.Join(p.dir, "checkout.split")
	before, _ := os.ReadFile(split)
	conf, _ := os.ReadFile(filepath.Join(p.dir, "nginx.conf"))
	p.write(t, "nginx.conf", string(conf)+"\nno such directive;\n")

	_, err := p.exec.Expose(t.Context(), steps.Exposure{Share: 5000})
	if err == nil || !strings.Contains(err.Error(), `unknown directive "no"`) {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(split); !bytes.Equal(before, after) {
		t.Errorf("the split file was not restored:\n%s", after)
	}
	if left, _ := filepath.Glob(split + ".*"); len(left) > 0 {
		t.Errorf("files were left behind: %v", left)
	}
	p.write(t, "nginx.conf", string(conf))
	p.settle(t, 0)
}

func TestAWeightThatIsNoPercentageIsRefused(t *testing.T) {
	p := startNginx(t)
	for _, percent := range []string{"", "-5", "5%", "5;", "1.2.3", ".5", "5."} {
		x := p.exec
		x.Set = append([]string{x.Set[0], percent}, x.Set[2:]...)
		if _, err := x.Expose(t.Context(), steps.Exposure{}); err == nil {
			t.Errorf("%q was taken", percent)
		}
	}
}
