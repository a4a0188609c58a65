package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/mod/semver"
)

// MinServer is the oldest NATS server that will do.
const MinServer = "2.11.0"

// ClientOptions say how to connect.
type ClientOptions struct {
	Name    string // of this client, as the server lists it; "": serin
	Token   string
	Creds   string // credentials file
	CA      string // PEM file
	Cert    string // PEM files of a client certificate
	Key     string
	Inbox   string        // prefix of replies; "": _INBOX.<user> when the URL names a user, else _INBOX
	Timeout time.Duration // of the first connection; 0: 5 s
	Daemon  bool          // wait for the first connection until ctx ends, not only for Timeout
	Log     *slog.Logger  // of what goes wrong later; nil: silent
	Closed  func(error)   // called when the connection is closed for good
	Extra   []nats.Option
}

// Connect connects to a server, and reconnects for ever once it has. It refuses servers that are too old or have no
// JetStream.
func Connect(ctx context.Context, address string, o ClientOptions) (*nats.Conn, error) {
	connected := make(chan struct{}, 1)
	closed := make(chan struct{})
	nc, err := nats.Connect(address, o.options(address, connected, closed)...)
	if err == nil {
		err = first(ctx, nc, connected, closed)
	}
	if err == nil {
		err = checkServer(ctx, nc)
	}
	if err != nil {
		if nc != nil {
			nc.Close()
		}
		return nil, fmt.Errorf("connect to NATS at %s: %w", redacted(address), err)
	}
	return nc, nil
}

// redacted is the address without passwords. It may name several servers, joined by commas.
func redacted(address string) string {
	parts := strings.Split(address, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return "an address that is no URL"
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}

// first waits for the first connection of a daemon; a client has it already.
func first(ctx context.Context, nc *nats.Conn, connected, closed <-chan struct{}) error {
	if nc.IsConnected() {
		return nil
	}
	select {
	case <-connected:
		return nil
	case <-closed:
		if err := nc.LastError(); err != nil {
			return err
		}
		return nats.ErrConnectionClosed
	case <-ctx.Done():
		return errors.Join(ctx.Err(), nc.LastError())
	}
}

func (o ClientOptions) options(address string, connected, closed chan struct{}) []nats.Option {
	log := orDiscard(o.Log)
	if o.Name == "" {
		o.Name = "serin"
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	opts := []nats.Option{
		nats.Name(o.Name), nats.Timeout(o.Timeout),
		// The default gives up for good after two minutes.
		nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
		// What is published without a connection fails at once, instead of being sent when it means nothing any more.
		nats.ReconnectBufSize(-1),
		nats.RetryOnFailedConnect(o.Daemon),
		nats.ConnectHandler(func(*nats.Conn) { connected <- struct{}{} }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: closed by ourselves
				log.Warn("nats disconnected", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("nats reconnected", "server", nc.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Error("nats", "error", err, "subject", subject)
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			close(closed)
			if o.Closed != nil {
				o.Closed(nc.LastError())
			}
		}),
	}
	return append(append(opts, o.identity(address)...), o.Extra...)
}

// userForm is one token: the inbox of a.b would be among those of a.
var userForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// identity is who we say we are, and how we know the server.
func (o ClientOptions) identity(address string) []nats.Option {
	var opts []nats.Option
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	inbox := o.Inbox
	if u, err := url.Parse(address); inbox == "" && err == nil && userForm.MatchString(u.User.Username()) {
		// A user who may subscribe to all of _INBOX.> reads the replies of others.
		inbox = "_INBOX." + u.User.Username()
	}
	if inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(inbox))
	}
	return opts
}

func checkServer(ctx context.Context, nc *nats.Conn) error {
	if err := checkVersion(nc.ConnectedServerVersion()); err != nil {
		return err
	}
	if on, _ := nc.ConnectedServerJetStream(); on {
		return nil
	}
	// In a mixed cluster another server may have it.
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("the server (%s) has no JetStream: start it with -js, or enable jetstream for the account: %w", nc.ConnectedServerVersion(), err)
	}
	return nil
}

// checkVersion refuses servers older than MinServer.
func checkVersion(version string) error {
	if semver.Compare("v"+version, "v"+MinServer) < 0 {
		return fmt.Errorf("the server is version %s, serin needs %s or later", version, MinServer)
	}
	return nil
}
