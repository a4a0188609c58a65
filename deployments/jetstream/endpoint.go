package jetstream

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	endpointFile = "endpoint.json"
	tokenFile    = "token"
)

// Endpoint is how a command on the same machine finds the embedded server.
type Endpoint struct {
	URL   string `json:"url"`
	Token string `json:"token"` // a secret: the file is 0600
	PID   int    `json:"pid"`
}

// ReadEndpoint reads the endpoint of the server that runs on a data directory. The error is fs.ErrNotExist when none
// does. After a crash the file may name a server that is gone.
func ReadEndpoint(dir string) (Endpoint, error) {
	data, err := os.ReadFile(filepath.Join(dir, endpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("no serin runs on %s: start one with serin serve, or name a server with --nats: %w", dir, err)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("read endpoint: %w", err)
	}
	var e Endpoint
	if err := json.Unmarshal(data, &e); err != nil {
		return Endpoint{}, fmt.Errorf("read endpoint in %s: %w", dir, err)
	}
	return e, nil
}

// writeEndpoint puts the file in place as a whole: a reader sees all of it or none.
func writeEndpoint(dir string, e Endpoint) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return writeSecret(filepath.Join(dir, endpointFile), data)
}

// keptToken is the directory's own token, made at the first start: clients that were let in before a restart come back.
func keptToken(dir string) (string, error) {
	path := filepath.Join(dir, tokenFile)
	text, err := os.ReadFile(path)
	if token := strings.TrimSpace(string(text)); err == nil && token != "" {
		return token, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the data directory's token: %w", err)
	}
	token := rand.Text()
	return token, writeSecret(path, []byte(token))
}

// writeSecret puts a file and a line's end in place, for nobody else to read.
func writeSecret(path string, line []byte) error {
	// CreateTemp makes the file 0600.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
