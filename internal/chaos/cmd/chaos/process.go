//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program in a process group of its own.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended
}

// start runs a program; what it says goes to a file in the directory.
func start(logs, name string, argv ...string) (*process, error) {
	p, out, err := prepare(logs, name, argv)
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = out
	return p, p.begin(out)
}

// helper runs a program that says first where it listens.
func helper(logs, name string, argv ...string) (*process, string, error) {
	p, out, err := prepare(logs, name, argv)
	if err != nil {
		return nil, "", err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.begin(out); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		p.kill()
		return nil, "", fmt.Errorf("%s says %q: %w; see its log in %s", name, line, err, logs)
	}
	return p, address, nil
}

func prepare(logs, name string, argv []string) (*process, *os.File, error) {
	out, err := os.OpenFile(filepath.Join(logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stderr = out
	p.cmd.Env = []string{"HOME=" + logs}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.stdin, err = p.cmd.StdinPipe()
	return p, out, err
}

func (p *process) begin(out *os.File) error {
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, errors.Join(err, out.Close()))
	}
	go func() {
		_ = p.cmd.Wait()
		out.Close()
		close(p.done)
	}()
	return nil
}

// signal sends a signal to the process itself.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process and its children with SIGKILL, and waits.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end, and kills it if it does not within the time.
func (p *process) stop(within time.Duration) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(within):
		p.kill()
	}
}
