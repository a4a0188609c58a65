package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// guarded refuses an address that other machines can reach where no token is asked for.
func guarded(flag, address, example, tokens string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--%s %q is no address: write for example %s", flag, address, example)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && tokens == "" {
		return fmt.Errorf("--%s %s can be reached from other machines: add --%[1]s-token-file FILE, or serve at 127.0.0.1 behind a proxy", flag, address)
	}
	return nil
}

// tokenFile is a file with the tokens of a server, one a line; the zero one is none.
type tokenFile struct {
	path string
	of   string // whose tokens, for people
}

// minToken is the length below which a token could be guessed.
const minToken = 16

func (f tokenFile) read() ([]string, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the %s tokens: %w", f.of, err)
	}
	tokens := strings.Fields(string(text))
	if len(tokens) == 0 || slices.ContainsFunc(tokens, func(t string) bool { return len(t) < minToken }) {
		return nil, fmt.Errorf("%s must hold %s tokens of %d characters or more, one a line: openssl rand -hex 32 makes one", f.path, f.of, minToken)
	}
	return tokens, nil
}

// all are the tokens as they are now; nil where there is no file. It is read at most once a second: tokens rotate. What was
// read last holds while the file cannot be read; one that is emptied lets nobody in.
func (f tokenFile) all() func() ([]string, error) {
	if f.path == "" {
		return nil
	}
	var mu sync.Mutex
	var at time.Time
	var last []string
	return func() ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(at) > time.Second {
			found, err := f.read()
			if _, unread := errors.AsType[*fs.PathError](err); !unread {
				last, at = found, now
			}
			if last == nil {
				at = time.Time{}
				return nil, err
			}
		}
		return last, nil
	}
}
