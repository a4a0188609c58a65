package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const endpointFile = "endpoint.json"

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
	// CreateTemp makes the file 0600.
	f, err := os.CreateTemp(dir, endpointFile+".*")
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, endpointFile))
	}
	if err != nil {
		return fmt.Errorf("write endpoint: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
