package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	healEvery = time.Second
	// healRoom is what must fit on the disk before the server is started again: some hundreds of entries.
	healRoom = 4 << 20
)

// healer starts the server again once its disk can be written: after one write that failed, the server itself refuses
// every later one.
type healer struct {
	opts   server.Options // as the server was started
	broken chan string    // what the server says of a disk that fails
	fault  atomic.Pointer[string]
	ctx    context.Context //nolint:containedctx // lasts from start to Shutdown, as the goroutine does
	cancel context.CancelFunc
	done   chan struct{}
}

func newHealer(opts server.Options) *healer {
	h := &healer{opts: opts, broken: make(chan string, 1), done: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// end stops healing, and waits for a start under way.
func (h *healer) end() {
	h.cancel()
	<-h.done
}

// Fault is why the server writes nothing now, "" when it does. It goes on by itself.
func (s *Server) Fault() string {
	if f := s.healer.fault.Load(); f != nil {
		return *f
	}
	return ""
}

// heal waits for faults and mends them until Shutdown.
func (s *Server) heal() {
	h := s.healer
	defer close(h.done)
	for {
		var line string
		select {
		case line = <-h.broken:
		case <-h.ctx.Done():
			return
		}
		why := "the data directory cannot be written"
		h.fault.Store(&why)
		s.log.Error("the data directory cannot be written: nothing is decided until it can; make room on its disk", "dir", s.dir, "error", line)
		began := time.Now()
		if !s.mend() {
			return
		}
		h.fault.Store(nil)
		s.log.Info("the data directory can be written again", "dir", s.dir, "after", time.Since(began).Round(time.Second))
	}
}

// mend starts the server again when there is room. It is false when Shutdown came first.
func (s *Server) mend() bool {
	h := s.healer
	for stopped := false; ; {
		if pause(h.ctx, healEvery) != nil {
			return false
		}
		err := tryWrite(s.dir)
		if err == nil && !stopped {
			if at, ok := s.running().Addr().(*net.TCPAddr); ok {
				h.opts.Port = at.Port // clients come back to where it was
			}
			stop(s.running())
			stopped = true
			select {
			case <-h.broken: // said by the one that is stopped
			default:
			}
		}
		if err == nil {
			err = s.run(h.ctx, h.opts)
		}
		if err == nil {
			return true
		}
		s.log.Debug("the data directory cannot be written yet", "dir", s.dir, "error", err)
	}
}

// tryWrite reports whether something fits on the disk of a directory.
func tryWrite(dir string) error {
	path := filepath.Join(dir, "room")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("try the disk: %w", err)
	}
	_, err = f.Write(make([]byte, healRoom))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
}
