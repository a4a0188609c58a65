//go:build unix

package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// roleMark makes the test binary one of the processes around the benchmark; taskMark says what it has to do.
const (
	roleMark = "SERIN_BENCH_ROLE"
	taskMark = "SERIN_BENCH_TASK"
)

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(roleMark); role {
	case "":
		os.Exit(m.Run())
	case "prometheus":
		err = servePrometheus()
	case "nats":
		err = serveNATS()
	case "worker":
		err = work()
	default:
		err = fmt.Errorf("no such role: %s", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a process around the benchmark. It tells what there is to tell as lines of JSON, and ends with its standard
// input.
type child struct {
	cmd   *exec.Cmd
	in    io.Closer
	lines chan []byte
	ended sync.Once
}

// stop ends the process, and waits for its end.
func (c *child) stop() {
	c.ended.Do(func() {
		_ = c.in.Close()
		for range c.lines { // until it has ended
		}
		_ = c.cmd.Wait()
	})
}

// patience is how long a benchmark waits for a process to tell something.
const patience = 5 * time.Minute

func start(b *testing.B, role string, task any) *child {
	b.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		b.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0]), lines: make(chan []byte, 16)}
	c.cmd.Env = append(os.Environ(), roleMark+"="+role, taskMark+"="+string(text))
	c.cmd.Stderr = os.Stderr
	in, errIn := c.cmd.StdinPipe()
	out, errOut := c.cmd.StdoutPipe()
	if errIn != nil || errOut != nil {
		b.Fatal(errIn, errOut)
	}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- append([]byte(nil), s.Bytes()...)
		}
	}()
	c.in = in
	b.Cleanup(c.stop)
	return c
}

// hear waits for the next thing a process tells.
func hear[T any](b *testing.B, c *child) T {
	b.Helper()
	var v T
	select {
	case line, ok := <-c.lines:
		if !ok {
			b.Fatal("the process has ended")
		}
		if err := json.Unmarshal(line, &v); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
	case <-time.After(patience):
		b.Fatal("nothing heard")
	}
	return v
}

// told is what the parent asked of this process.
func told(task any) error { return json.Unmarshal([]byte(os.Getenv(taskMark)), task) }

// tell tells the parent.
func tell(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

// orphaned is closed when the parent has closed its end, or is gone.
func orphaned() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
	}()
	return gone
}
