//go:build !unix

package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const lockFile = "lock"

// lock takes the directory for this process. Where there is no flock the file itself is the lock: after a crash a
// person has to remove it, and the refusal says so.
func lock(dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		holder, _ := os.ReadFile(path)
		return nil, fmt.Errorf("%w; if that process is gone, remove %s", inUse(dir, strings.TrimSpace(string(holder))), path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data directory: %w", err), os.Remove(path))
	}
	return func() error { return os.Remove(path) }, nil
}
