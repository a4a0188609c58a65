//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gate stands before Prometheus and can keep questions waiting.
type gate struct {
	to      http.Handler
	mu      sync.Mutex
	closed  chan struct{} // questions wait until it is closed; nil: they do not
	waiting chan struct{} // one for each question that began to wait
}

func newGate(t *testing.T, to string) (g *gate, address string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g = &gate{to: httputil.NewSingleHostReverseProxy(u), waiting: make(chan struct{}, 1000)}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	t.Cleanup(g.open)
	return g, server.URL
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		g.waiting <- struct{}{}
		select {
		case <-closed:
		case <-r.Context().Done():
			return
		}
	}
	g.to.ServeHTTP(w, r)
}

// owner is the process that holds the checkout, 0 when nobody answers.
func (w *world) owner(t *testing.T) (pid int) {
	t.Helper()
	m, err := w.js.Conn().RequestWithContext(within(t, time.Second), "serin.ask.production.checkout", nil)
	if err != nil {
		return 0
	}
	var reply struct{ State struct{ Worker string } }
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		t.Fatal(err)
	}
	worker := reply.State.Worker
	_, _ = fmt.Sscan(worker[strings.LastIndex(worker, "-")+1:], &pid)
	return pid
}

func TestAWorkerThatIsAskedToStopFinishesItsReadingsAndHandsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0")
	var g *gate
	g, w.asks = newGate(t, w.prom.url)
	first := w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 5)
	if pid := w.owner(t); pid != first.cmd.Process.Pid {
		t.Fatalf("process %d holds the slot, want %d", pid, first.cmd.Process.Pid)
	}
	second := w.serve(t)

	g.close()
	<-g.waiting
	first.signal(t, syscall.SIGTERM)
	eventually(t, patience, func() error {
		if status, body := first.readiness(); status != http.StatusServiceUnavailable || body != "draining" {
			return fmt.Errorf("/readyz says %d %s", status, body)
		}
		return nil
	})
	select {
	case <-first.done:
		t.Fatal("it ended with a reading under way")
	default:
	}
	g.open()
	if code := first.exit(t, patience); code != 0 {
		t.Errorf("it ended with status %d", code)
	}
	handed := time.Now()
	eventually(t, patience, func() error {
		if pid := w.owner(t); pid != second.cmd.Process.Pid {
			return fmt.Errorf("process %d holds the slot, want %d", pid, second.cmd.Process.Pid)
		}
		return nil
	})
	if took := time.Since(handed); took > 2*time.Second {
		t.Errorf("the other worker had the slot %v after the end of the first", took)
	}
	ends(t, waits, 0, "promoted", "")
	w.story.wellTold(t)
}
