//go:build e2e && unix

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs in a process group of its own.
type process struct {
	name string
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// start runs a program until the test is over at the latest. Its environment has nothing but a PATH and an empty home.
func start(t *testing.T, name string, argv ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.out.changed = make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cmd.Dir}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		if strings.Contains(p.out.String(), "DATA RACE") {
			t.Errorf("%s: data race", name)
		}
		if t.Failed() {
			t.Logf("=== %s: %s\n%s", name, p.cmd.ProcessState, p.out.String())
		}
	})
	return p
}

// serin starts the program of this tree.
func serin(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, "serin "+args[0], append([]string{filepath.Join(bin, "serin")}, args...)...)
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s: %v", p.name, err)
	}
}

// kill ends the process as a crash does, and waits for its end.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// exit waits for the end and returns the exit status.
func (p *process) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%s has not ended within %v", p.name, within)
		return -1
	}
}

// says waits for a line and returns what the first group of the pattern matched.
func (p *process) says(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(patience)
	for {
		text, changed := p.out.read()
		if m := re.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		select {
		case <-changed:
		case <-p.done:
			if text, _ = p.out.read(); !re.MatchString(text) {
				t.Fatalf("%s ended without a word of %s", p.name, pattern)
			}
		case <-timeout:
			t.Fatalf("%s does not say %s", p.name, pattern)
		}
	}
}

// output keeps what a process writes.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

const (
	patience = 30 * time.Second      // for what takes a moment
	between  = 20 * time.Millisecond // two looks at the world
)

// eventually looks until there is nothing to complain about.
func eventually(t *testing.T, within time.Duration, look func() error) {
	t.Helper()
	again := time.NewTicker(between)
	defer again.Stop()
	over := time.After(within)
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("after %v: %v", within, err)
		}
	}
}

// write writes a file of the test's own and returns its path.
func write(t *testing.T, name, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
