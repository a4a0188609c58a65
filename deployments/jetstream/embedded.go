package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// DefaultListen is where the embedded server listens.
const DefaultListen = "127.0.0.1:4222"

// ServerOptions say where the embedded server keeps its data and who may reach it.
type ServerOptions struct {
	Dir    string       // data directory: made 0700, held exclusively
	Listen string       // host:port; "": DefaultListen; port 0: any free one
	TLS    *tls.Config  // required from TCP clients when set
	Token  string       // "": a random one that stays the directory's own. Off loopback TLS or a token must be given
	Log    *slog.Logger // nil: silent

	closed bool // reached from inside this process only
}

// Server is a NATS server with JetStream inside this process. Acknowledged writes are on disk.
type Server struct {
	dir    string
	token  string
	scheme string
	log    *slog.Logger
	unlock func() error
	healer *healer

	mu  sync.Mutex
	srv *server.Server // another one after the disk was full
}

// inUse is the refusal of a data directory that another server holds.
func inUse(dir, holder string) error {
	return fmt.Errorf("data directory %s is in use by process %s: stop that serin, or give this one another directory", dir, holder)
}

// Embed starts a server and returns when it takes connections, or when ctx ends. It refuses at once a directory that
// another server holds, a port that is taken, and an address other machines can reach without TLS or a given token.
func Embed(ctx context.Context, o ServerOptions) (*Server, error) {
	host, port, err := o.address()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	// The lock comes before the port: a second server on a directory is told of the first, whatever else they share.
	unlock, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	if err = notMoved(o.Dir); err == nil {
		port, err = free(host, port)
	}
	if err == nil && o.Token == "" {
		o.Token, err = keptToken(o.Dir)
	}
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	s, err := start(ctx, o, host, port)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	s.unlock = unlock
	if err := writeEndpoint(o.Dir, Endpoint{URL: s.URL(), Token: s.token, PID: os.Getpid()}); err != nil {
		return nil, errors.Join(err, s.Shutdown())
	}
	return s, nil
}

// address is where to listen, once nothing speaks against it.
func (o ServerOptions) address() (host string, port int, err error) {
	listen := o.Listen
	if listen == "" {
		listen = DefaultListen
	}
	host, service, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %q: write host:port, such as %s: %w", listen, DefaultListen, err)
	}
	if port, err = strconv.Atoi(service); err != nil || port < -1 || port > 65535 {
		return "", 0, fmt.Errorf("listen address %q: %q is no port", listen, service)
	}
	if !loopback(host) && o.TLS == nil && o.Token == "" {
		return "", 0, fmt.Errorf("%s can be reached from other machines: give TLS or a token, or listen on 127.0.0.1", listen)
	}
	return host, max(port, 0), nil
}

// free is the port for the server, unless it is taken: the server itself would only log that.
func free(host string, port int) (int, error) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, fmt.Errorf("%s is in use: another serin, or a NATS server? use --listen: %w", address, err)
	}
	if err != nil {
		return 0, fmt.Errorf("listen on %s: %w", address, err)
	}
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("listen on %s: %w", address, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return port, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// start runs the server on a directory that is already held.
func start(ctx context.Context, o ServerOptions, host string, port int) (*Server, error) {
	s := &Server{dir: o.Dir, token: o.Token, scheme: "nats", log: orDiscard(o.Log)}
	opts := server.Options{
		ServerName: "serin", Host: host, Port: port, Authorization: s.token,
		JetStream: true, StoreDir: filepath.Join(o.Dir, "nats"), DisableJetStreamBanner: true,
		SyncAlways: true, // an acknowledged entry survives a power failure
		NoSigs:     true, NoLog: true, MaxPayload: 1 << 20, DontListen: o.closed,
	}
	if o.TLS != nil {
		opts.TLS, opts.TLSConfig, opts.TLSTimeout, s.scheme = true, o.TLS, 5, "tls"
	}
	// The server's own folders would be open to the group.
	if err := os.MkdirAll(opts.StoreDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	s.healer = newHealer(opts)
	if err := s.run(ctx, opts); err != nil {
		return nil, fmt.Errorf("start NATS server: %w", err)
	}
	go s.heal()
	return s, nil
}

// run starts a server in the place of the one before, if there was one.
func (s *Server) run(ctx context.Context, opts server.Options) error {
	srv, err := server.NewServer(&opts)
	if err != nil {
		return err
	}
	fatal := make(chan string, 1)
	srv.SetLoggerV2(serverLog{s.log, fatal, s.healer.broken}, false, false, false)
	srv.Start()
	if err := ready(ctx, srv, fatal); err != nil {
		stop(srv)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.srv = srv
	return nil
}

// ready waits until the server takes connections.
func ready(ctx context.Context, srv *server.Server, fatal <-chan string) error {
	for !srv.ReadyForConnections(50 * time.Millisecond) {
		select {
		case line := <-fatal:
			return errors.New(line)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	select {
	case line := <-fatal:
		return errors.New(line)
	default:
		return nil
	}
}

// URL is where TCP clients reach the server.
func (s *Server) URL() string { return s.scheme + "://" + s.running().Addr().String() }

func (s *Server) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}

// Token is what TCP clients must show.
func (s *Server) Token() string { return s.token }

// Connect connects inside the process, without TCP.
func (s *Server) Connect(ctx context.Context, o ClientOptions) (*nats.Conn, error) {
	o.Token = s.token
	o.Extra = append([]nats.Option{nats.InProcessServer(s)}, o.Extra...)
	return Connect(ctx, "", o)
}

// InProcessConn is a connection to the server that runs now.
func (s *Server) InProcessConn() (net.Conn, error) { return s.running().InProcessConn() }

// Shutdown stops the server, waits for it, and gives the directory back.
func (s *Server) Shutdown() error {
	err := os.Remove(filepath.Join(s.dir, endpointFile))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	s.healer.end()
	stop(s.running())
	return errors.Join(err, s.unlock())
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}
