package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// movedFile says, in words, where a data directory was copied to.
const movedFile = "moved"

// OpenStopped starts a server on the data directory of one that is stopped, for this process alone: it listens nowhere,
// so that nothing new can come in, and tells nobody where it is. It refuses a directory that another server holds, and
// one that never had any data.
func OpenStopped(ctx context.Context, dir string, log *slog.Logger) (*Server, error) {
	if _, err := os.Stat(filepath.Join(dir, "nats", "jetstream")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("no serin serve has kept anything there")
		}
		return nil, fmt.Errorf("open data directory %s: %w", dir, err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, ServerOptions{Dir: dir, Log: log, closed: true}, "127.0.0.1", 0)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	s.unlock = unlock
	return s, nil
}

// MarkMoved makes Embed refuse the directory from now on: two servers that both advance a service's rollouts would work
// against each other.
func (s *Server) MarkMoved(to string, at time.Time) error {
	line := fmt.Sprintf("copied to %s at %s", RedactURL(to), at.UTC().Format(time.RFC3339))
	return writeSecret(filepath.Join(s.dir, movedFile), []byte(line))
}

// notMoved refuses a data directory whose state lives on another server.
func notMoved(dir string) error {
	path := filepath.Join(dir, movedFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	return fmt.Errorf("data directory %s was %s: serve there with --nats, or remove %s to go back to what it was", dir, strings.TrimSpace(string(text)), path)
}
