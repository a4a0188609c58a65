//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// server is one NATS server, which comes back on the same port and directory.
type server struct {
	name, address, config string
	*process
}

// serverConfig: clients are told of no other server, so that the proxy stays their only way.
const serverConfig = `server_name: %q
listen: %q
jetstream {store_dir: %q}
`

const clusterConfig = `cluster {name: chaos, listen: %q, routes: [%s], no_advertise: true}
`

// configure writes the configurations of n servers.
func configure(dir string, n int) ([]*server, error) {
	addresses, err := free(2 * n)
	if err != nil {
		return nil, err
	}
	var routes []string
	for _, a := range addresses[n:] {
		routes = append(routes, "nats://"+a)
	}
	var out []*server
	for i := range n {
		s := &server{name: fmt.Sprintf("n%d", i+1), address: addresses[i]}
		text := fmt.Sprintf(serverConfig, s.name, s.address, filepath.Join(dir, s.name))
		if n > 1 {
			text += fmt.Sprintf(clusterConfig, addresses[n+i], strings.Join(routes, ", "))
		}
		s.config = filepath.Join(dir, s.name+".conf")
		if err := os.WriteFile(s.config, []byte(text), 0o644); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// free are addresses that nobody listens on now: servers must come back on theirs.
func free(n int) ([]string, error) {
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// ready waits until JetStream answers at the addresses.
func ready(ctx context.Context, url string) error {
	nc, err := connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := js.AccountInfo(once)
		cancel()
		if err == nil {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("NATS is not ready: %w", err)
		}
	}
}

// connect is the driver's own connection, past the proxy.
func connect(url string) (*nats.Conn, error) {
	return nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.PingInterval(2*time.Second))
}

// pause is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
