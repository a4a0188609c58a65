package jetstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// guarded is a server that enforces the roles of a scope, with everything set up.
type guarded struct {
	url   string
	admin *client
	roles map[string]Role
}

// client is a connection of one user.
type client struct {
	*nats.Conn
	js      jetstream.JetStream
	refused chan string // what the server has refused
}

// guard starts a server from the configuration that serin setup prints, and nothing else.
func guard(t *testing.T, n Names, s Scope, inputs ...Input) guarded {
	t.Helper()
	g, opts := guarding(t, n, s, inputs...)
	g.url = run(t, opts).Addr().String()
	g.setUp(t, Layout{Names: n, Partitions: 2})
	return g
}

// guarding is the configuration of a server that is not started yet.
func guarding(t *testing.T, n Names, s Scope, inputs ...Input) (guarded, *server.Options) {
	t.Helper()
	g := guarded{roles: map[string]Role{}}
	roles, err := Roles(n, s)
	if err != nil {
		t.Fatal(err)
	}
	roles = WithInputs(n, roles, inputs)
	t.Setenv(n.password(setupUser), setupUser)
	for _, r := range roles {
		g.roles[r.Name] = r
		t.Setenv(n.password(r.User), r.User)
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(ServerConfig(n, roles)); err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	return g, opts
}

func started(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	return srv
}

func run(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	srv := started(t, opts)
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return srv
}

func (g *guarded) setUp(t *testing.T, l Layout) {
	t.Helper()
	g.admin = g.connect(t, setupUser)
	if err := Setup(t.Context(), g.admin.js, l); err != nil {
		t.Fatal(err)
	}
}

func (g guarded) as(t *testing.T, role string) *client {
	t.Helper()
	return g.connect(t, g.roles[role].User)
}

func (g guarded) connect(t *testing.T, user string) *client {
	t.Helper()
	c := &client{refused: make(chan string, 100)}
	nc, err := Connect(t.Context(), "nats://"+user+":"+user+"@"+g.url, ClientOptions{Extra: []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case c.refused <- err.Error():
			default:
			}
		})}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndWait(nc) })
	c.Conn = nc
	if c.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return c
}

// lets does one thing and reports whether the server lets it happen: a violation is known before the answer to a ping.
func (c *client) lets(t *testing.T, do func() error) bool {
	t.Helper()
	before := c.LastError()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	if err := c.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	now := c.LastError()
	return now == nil || errors.Is(now, before) || !errors.Is(now, nats.ErrPermissionViolation)
}

// refuses reports whether the server refuses something that then would wait for an answer in vain.
func (c *client) refuses(t *testing.T, what string, do func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- do(ctx) }()
	select {
	case got := <-c.refused:
		if !strings.Contains(strings.ToLower(got), "permissions violation") {
			t.Errorf("%s: %s", what, got)
		}
		cancel()
		<-failed
	case err := <-failed:
		t.Errorf("%s: nothing was refused: %v", what, err)
	}
}

func TestRolesCarryThePrefixAndTheScope(t *testing.T) {
	n := Names{Prefix: "acme.deploy"}
	roles, err := Roles(n, Scope{Service: "checkout"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		var imported []string
		for _, i := range r.Imports {
			imported = append(imported, i.Subject, i.To)
		}
		for _, subject := range slices.Concat(r.Publish, r.Deny, r.Subscribe, imported, []string{r.Account}) {
			if strings.Contains(strings.ToLower(subject), "serin") {
				t.Errorf("%s: %s has another prefix", r.Name, subject)
			}
		}
		if r.Name == "ci" {
			want := []string{"acme.deploy.release.*.checkout", "acme.deploy.read.*.checkout.last", "acme.deploy.cmd.*.checkout.abort"}
			if diff := cmp.Diff(want, r.Publish[:3]); diff != "" || r.User != "ci-checkout" || r.Inbox != "_INBOX.ci-checkout" || r.Account != "ACME_DEPLOY_CI_CHECKOUT" {
				t.Errorf("%s in %s, inbox %s, want -, got +:\n%s", r.User, r.Account, r.Inbox, diff)
			}
		}
	}
	guard(t, n, Scope{Service: "checkout"})
	for name, s := range map[string]Scope{"wildcard": {Service: "*"}, "two tokens": {Environment: "a.b"}, "space": {Service: "a b"}} {
		if s.Validate() == nil {
			t.Errorf("a scope with a %s is accepted", name)
		}
	}
}

// served runs a worker's handlers and hears what reaches them.
func (g guarded) served(t *testing.T) <-chan string {
	t.Helper()
	w, heard, ready := g.as(t, "worker"), make(chan string, 100), make(chan struct{})
	hear := func(kind string) func(context.Context, Request) Reply {
		return func(_ context.Context, r Request) Reply {
			heard <- strings.TrimSpace(kind+" "+r.Slot.String()+" "+r.Verb) + " by " + r.From.Record(string(r.Data))
			return Reply{OK: true}
		}
	}
	background(t, func(ctx context.Context) error {
		return Serve(ctx, w.Conn, Names{}, Handlers{Command: hear("cmd"), Ack: hear("ack")}, nil, func() { close(ready) })
	})
	receive(t, ready)
	return heard
}

func TestCIFollowsItsOwnReleaseAndNoOther(t *testing.T) {
	g := guard(t, Names{}, Scope{Environment: "production", Service: "checkout"})
	heard, ci := g.served(t), g.as(t, "ci")
	if _, _, err := PublishRelease(t.Context(), ci.js, Names{}, deployments.Release{Slot: checkout, Version: "1.2.0"}); err != nil {
		t.Fatal(err)
	}
	from, err := (Events{JS: ci.js}).LatestOf(t.Context(), checkout)
	if err != nil {
		t.Fatal(err)
	}
	// The order goes out once the follower has caught up, so that the event is one that it hears of.
	end := errors.New("enough")
	err = Events{JS: ci.js}.Follow(t.Context(), Filter{Slot: checkout}, from, func(_ uint64, e deployments.Event) error {
		if e.Name == "" {
			msg, err := EncodeEvent(Names{}, deployments.Event{ID: "r/1/x", Name: "step.started", Subject: "event.production.checkout.step.started", Time: time.Now()})
			if err == nil {
				_, err = g.admin.js.PublishMsg(t.Context(), msg)
			}
			return err
		}
		return end
	})
	if !errors.Is(err, end) {
		t.Fatal(err)
	}
	if reply, err := (Client{Conn: ci.Conn}).Command(t.Context(), checkout, "abort", nil); err != nil || !reply.OK {
		t.Fatalf("%+v, %v", reply, err)
	}
	if got := receive(t, heard); got != "cmd production/checkout abort by ci-production-checkout" {
		t.Errorf("heard %s", got)
	}
	cart := deployments.Slot{Environment: "production", Service: "cart"}
	if err := (Events{JS: ci.js}).Follow(t.Context(), Filter{Slot: cart}, 0, func(uint64, deployments.Event) error { return end }); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("follow another service: %v", err)
	}
	if _, err := (Client{Conn: ci.Conn}).Command(t.Context(), cart, "abort", nil); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("abort another service: %v", err)
	}
	ci.refuses(t, "release another service", func(ctx context.Context) error {
		_, _, err := PublishRelease(ctx, ci.js, Names{}, deployments.Release{Slot: cart, Version: "1.2.0"})
		return err
	})
}
