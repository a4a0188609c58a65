package flagdfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/serin-cd/serin/flags"
)

// largest is the size of a document that is still read.
const largest = 64 << 20

// version is a file as it was read.
type version struct {
	path string
	info fs.FileInfo
	text []byte
}

func read(path string) (version, error) {
	file, err := os.Open(path)
	if err != nil {
		return version{}, fmt.Errorf("open flag file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return version{}, fmt.Errorf("look at flag file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return version{}, fmt.Errorf("flag file %s is no file of at most %d bytes", path, largest)
	}
	text, err := io.ReadAll(io.LimitReader(file, largest))
	if err != nil {
		return version{}, fmt.Errorf("read flag file: %w", err)
	}
	return version{path, info, text}, nil
}

func (v version) document() (flags.Document, error) {
	d, err := flags.ParseDocument(v.text)
	if err == nil {
		return d, nil
	}
	text := bytes.TrimSpace(v.text)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && !bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte("flags:")) {
		return flags.Document{}, fmt.Errorf("flag file %s: %w", v.path, errYAML)
	}
	return flags.Document{}, fmt.Errorf("flag file %s: %w", v.path, err)
}

// target is the file that a path names in the end, or why it cannot be replaced.
func target(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("open flag file: %w", err)
	}
	for part := range strings.SplitSeq(filepath.ToSlash(resolved), "/") {
		if strings.HasPrefix(part, "..") && part != ".." {
			return "", errors.New("it is a mounted ConfigMap, which nothing in the pod can change: let flagd read from Serin (serin serve --flagd-sync), or keep the flags in another place")
		}
	}
	return resolved, nil
}

// replace puts the text in the file's place, if the file is still as it was read.
func (v version) replace(text []byte) (err error) {
	if bytes.Equal(text, v.text) {
		return nil
	}
	temp := filepath.Join(filepath.Dir(v.path), "."+filepath.Base(v.path)+".serin")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a writer that was killed: the lock is ours
		return explain(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err := v.write(temp, text); err != nil {
		return explain(err)
	}
	now, err := read(v.path)
	if err != nil {
		return err
	}
	if !os.SameFile(now.info, v.info) || !bytes.Equal(now.text, v.text) {
		return flags.ErrConflict
	}
	if err := os.Rename(temp, v.path); err != nil {
		return explain(err)
	}
	return syncDirectory(filepath.Dir(v.path))
}

// write makes a file with the text, and with the mode and owner of the one that was read.
func (v version) write(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := keepOwner(file, v.info); err != nil {
		return err
	}
	if err := file.Chmod(v.info.Mode().Perm()); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return file.Close()
}

var errOwner = errors.New("the file cannot keep its owner")

// explain adds the cure to what the system says.
func explain(err error) error {
	switch {
	case errors.Is(err, errOwner):
		return err
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the file is replaced by a rename, so Serin must be able to write its directory", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the file is as it was", err)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%w: the file is a mount of its own: mount its directory instead", err)
	default:
		return err
	}
}

// lockPause is how long to wait before the lock is tried again.
const lockPause = 2 * time.Millisecond

// lock waits for the lock until ctx ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, explain(fmt.Errorf("lock flag file: %w", err))
	}
	for {
		taken, err := tryLock(file)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("lock flag file: %w", err)
		}
		if taken {
			return func() { file.Close() }, nil
		}
		timer := time.NewTimer(lockPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			file.Close()
			return nil, fmt.Errorf("%s is held by another writer: %w", path, context.Cause(ctx))
		}
	}
}
