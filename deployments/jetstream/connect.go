package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
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
	Name     string // of this client, as the server lists it; "": serin
	Token    string
	User     string // with Password; instead of a user in the address
	Creds    string // credentials file
	Nkey     string // file with the seed of an nkey
	CA       string // PEM file
	Cert     string // PEM files of a client certificate
	Key      string
	Password string
	Inbox    string        // prefix of replies; "": _INBOX.<user> where a user is named, else _INBOX
	Timeout  time.Duration // of the first connection; 0: 5 s
	Daemon   bool          // wait for the first connection until ctx ends, not only for Timeout
	Log      *slog.Logger  // of what goes wrong later; nil: silent
	Closed   func(error)   // called when the connection is closed for good
	Extra    []nats.Option
}

// Connect connects to a server, and reconnects for ever once it has. It refuses servers that are too old or have no
// JetStream.
func Connect(ctx context.Context, address string, o ClientOptions) (*nats.Conn, error) {
	connected := make(chan struct{}, 1)
	closed := make(chan struct{})
	opts, err := o.options(address, connected, closed)
	var nc *nats.Conn
	if err == nil {
		nc, err = nats.Connect(address, opts...)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		err = errors.New("the address cannot be read") // the error would show what stands in it
	}
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
		return nil, fmt.Errorf("connect to NATS at %s: %w", RedactURL(address), err)
	}
	return nc, nil
}

// RedactURL is an address without its secrets: a password, or a token, which stands where a user would. It may name
// several servers, joined by commas.
func RedactURL(address string) string {
	parts := strings.Split(address, ",")
	for i, part := range parts {
		u, err := parseURL(part)
		switch {
		case err != nil:
			return "an address that is no URL"
		case u.User == nil:
			continue
		}
		if _, secret := u.User.Password(); secret {
			parts[i] = u.Redacted()
			continue
		}
		u.User = url.User("xxxxx")
		parts[i] = u.String()
	}
	return strings.Join(parts, ",")
}

// parseURL reads one address; one without a scheme is NATS.
func parseURL(address string) (*url.URL, error) {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		address = "nats://" + address
	}
	return url.Parse(address)
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

func (o ClientOptions) options(address string, connected, closed chan struct{}) ([]nats.Option, error) {
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
	who, err := o.identity(address)
	return slices.Concat(opts, who, o.Extra), err
}

// userForm is one token: the inbox of a.b would be among those of a.
var userForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// identity is who we say we are, and how we know the server.
func (o ClientOptions) identity(address string) ([]nats.Option, error) {
	var opts []nats.Option
	if o.Token != "" {
		opts = append(opts, nats.Token(o.Token))
	}
	if o.User != "" {
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.Nkey != "" {
		key, err := nats.NkeyOptionFromSeed(o.Nkey)
		if err != nil {
			return nil, fmt.Errorf("read nkey %s: %w", o.Nkey, err)
		}
		opts = append(opts, key)
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	if inbox := o.inbox(address); inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(inbox))
	}
	return opts, nil
}

// inbox is the prefix of replies: a user who may subscribe to all of _INBOX.> reads the replies of others.
func (o ClientOptions) inbox(address string) string {
	user := o.User
	if u, err := parseURL(address); err == nil && user == "" {
		if _, named := u.User.Password(); named { // without a password it is a token
			user = u.User.Username()
		}
	}
	if o.Inbox == "" && userForm.MatchString(user) {
		return "_INBOX." + user
	}
	return o.Inbox
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
