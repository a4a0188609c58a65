package flagdfile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/serin-cd/serin/flags"
)

// Store is a flags.Store over one file. Its keys are flags.StoreKey's; the file has the flags' own keys, so that one
// file serves one environment.
type Store struct {
	path string
}

var _ flags.Store = (*Store)(nil)

// New opens nothing: the file is looked at by each call. It refuses a source that is no file, and a YAML file.
func New(src flags.Source) (*Store, error) {
	switch {
	case src.Kind != flags.File || src.Path == "":
		return nil, fmt.Errorf("open flag file: %s names no file", &src)
	case isYAML(src.Path):
		return nil, fmt.Errorf("open flag file %s: %w", src.Path, errYAML)
	}
	return &Store{path: src.Path}, nil
}

var errYAML = errors.New("it is YAML, whose comments an edit would lose: keep the flags as JSON, which flagd reads too")

func isYAML(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yaml" || ext == ".yml"
}

// Get is the flag and its revision: flags.ErrNotFound for one that the document does not have.
func (s *Store) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	_, name := flags.SplitKey(key)
	if err := ctx.Err(); err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", name, err)
	}
	v, err := read(s.path)
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", name, err)
	}
	d, err := v.document()
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s: %w", name, err)
	}
	f, err := d.Flag(name)
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s in %s: %w", name, s.path, err)
	}
	return f, revisionOf(f), nil
}

// Update writes the flag if the file still has it at revision; 0 creates it.
func (s *Store) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	_, name := flags.SplitKey(key)
	if err := f.Validate(); err != nil {
		return 0, fmt.Errorf("write flag %s: %w", name, err)
	}
	if f.Key() != name {
		return 0, fmt.Errorf("write flag %s: the flag given is %s", name, f.Key())
	}
	if err := s.update(ctx, f, revision); err != nil {
		return 0, fmt.Errorf("write flag %s in %s: %w", name, s.path, err)
	}
	return revisionOf(f), nil
}

// update compares and sets under the lock.
func (s *Store) update(ctx context.Context, f flags.Flag, revision uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := target(s.path)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	v, err := read(path)
	if err != nil {
		return err
	}
	d, err := v.document()
	if err != nil {
		return err
	}
	before, err := d.Flag(f.Key())
	if err != nil && !errors.Is(err, flags.ErrNotFound) {
		return err
	}
	if revisionOf(before) != revision {
		return flags.ErrConflict
	}
	next := d.With(f).Bytes()
	if _, err := flags.ParseDocument(next); err != nil {
		return fmt.Errorf("the document would not be valid: %w", err)
	}
	return v.replace(next)
}

// revisionOf counts by content: a flag that says the same has the same revision, however it is spaced. 53 bits pass
// through every JSON reader. 0 is a missing flag.
func revisionOf(f flags.Flag) uint64 {
	if !f.Exists() {
		return 0
	}
	sum := sha256.Sum256(f.Bytes())
	return max(binary.BigEndian.Uint64(sum[:8])>>11, 1)
}
