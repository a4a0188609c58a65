package jetstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

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

// guard starts a server from the configuration that serin setup prints.
func guard(t *testing.T, n Names, s Scope) guarded {
	t.Helper()
	g := guarded{roles: map[string]Role{}}
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "admin", Password: "admin"}}}
	for _, r := range Roles(n, s) {
		g.roles[r.Name] = r
		opts.Users = append(opts.Users, &server.User{Username: r.User, Password: r.User, Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: r.Publish, Deny: r.Deny}, Subscribe: &server.SubjectPermission{Allow: r.Subscribe}}})
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	g.url = srv.Addr().String()
	g.admin = g.connect(t, "admin")
	if err := Setup(t.Context(), g.admin.js, Layout{Names: n, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g guarded) as(t *testing.T, role string) *client {
	t.Helper()
	return g.connect(t, g.roles[role].User)
}

func (g guarded) connect(t *testing.T, user string) *client {
	t.Helper()
	c := &client{refused: make(chan string, 100)}
	nc, err := Connect(t.Context(), "nats://"+user+":"+user+"@"+g.url, ClientOptions{Extra: []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.refused <- err.Error() })}})
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

func TestEachRoleMayDoItsPartAndNothingElse(t *testing.T) {
	g := guard(t, Names{}, Scope{Environment: "production", Service: "checkout"})
	const mine, others = "production.checkout", "production.cart"
	all := []string{"ci", "operator", "viewer", "deployer", "worker", "application"}
	clients := map[string]*client{}
	for _, role := range all {
		clients[role] = g.as(t, role)
	}
	for subject, roles := range map[string]string{
		"serin.release." + mine:                                                  "ci",
		"serin.release." + others:                                                "",
		"serin.release.staging.checkout":                                         "",
		"serin.cmd." + mine + ".abort":                                           "ci operator",
		"serin.cmd." + mine + ".approve":                                         "operator",
		"serin.cmd." + mine + ".promote":                                         "operator",
		"serin.cmd." + others + ".abort":                                         "",
		"serin.cmd." + others + ".approve":                                       "",
		"serin.ack." + mine:                                                      "deployer",
		"serin.ack." + others:                                                    "",
		"serin.ask." + mine:                                                      "operator viewer",
		"serin.ask." + others:                                                    "",
		"serin.journal.0." + mine:                                                "worker",
		"serin.event." + mine + ".step.started":                                  "worker",
		"serin.rollback." + mine:                                                 "worker",
		"serin.dlq.invalid":                                                      "worker",
		"serin.summary." + mine + ".r":                                           "worker",
		"$JS.API.STREAM.PURGE.SERIN_JOURNAL":                                     "worker",
		"$JS.API.CONSUMER.MSG.NEXT.SERIN_JOURNAL.summaries":                      "worker",
		"$JS.API.CONSUMER.DELETE.SERIN_JOURNAL.summaries":                        "",
		"$JS.API.CONSUMER.CREATE.SERIN_SUMMARY.x.serin.summary." + mine + ".*":   "operator viewer",
		"$JS.API.CONSUMER.CREATE.SERIN_SUMMARY.x.serin.summary." + others + ".*": "",
		"serin.lease.0":                                                          "",
		"serin.worker.w1":                                                        "worker",
		"$KV.serin_flags.production.checkout":                                    "worker",
		"$KV.serin_policies.slot." + mine:                                        "worker",
		"$KV.serin_notify.x":                                                     "",
		"_INBOX.ci-production-checkout.forged.1":                                 "worker",
		// Streams and durable consumers.
		"$JS.API.STREAM.CREATE.MINE":                          "",
		"$JS.API.STREAM.UPDATE.SERIN_JOURNAL":                 "",
		"$JS.API.STREAM.DELETE.SERIN_JOURNAL":                 "",
		"$JS.API.STREAM.DELETE.KV_serin_flags":                "",
		"$JS.API.STREAM.PURGE.KV_serin_flags":                 "",
		"$JS.API.STREAM.MSG.DELETE.SERIN_EVENTS":              "",
		"$JS.API.STREAM.MSG.GET.SERIN_RELEASES":               "",
		"$JS.API.STREAM.SNAPSHOT.SERIN_JOURNAL":               "",
		"$JS.API.CONSUMER.DELETE.SERIN_JOURNAL.dispatch":      "",
		"$JS.API.CONSUMER.DELETE.SERIN_RELEASES.ingest":       "",
		"$JS.API.CONSUMER.DELETE.SERIN_LEASE.w":               "",
		"$JS.API.CONSUMER.DELETE.SERIN_EVENTS.tell-slack":     "",
		"$JS.API.CONSUMER.PAUSE.SERIN_LEASE.w":                "",
		"$JS.API.CONSUMER.MSG.NEXT.SERIN_JOURNAL.dispatch":    "worker",
		"$JS.API.CONSUMER.MSG.NEXT.SERIN_EVENTS.tell-slack":   "worker",
		"$JS.API.CONSUMER.MSG.NEXT.SERIN_RELEASES.ingest":     "worker",
		"$JS.API.CONSUMER.MSG.NEXT.SERIN_LEASE.w":             "worker",
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.tell-slack":     "worker",
		"$JS.ACK.SERIN_RELEASES.ingest.1.1.1.1.0":             "worker",
		"$JS.ACK.SERIN_EVENTS.tell-slack.1.1.1.1.0":           "worker",
		"$JS.API.CONSUMER.DURABLE.CREATE.SERIN_JOURNAL.mine":  "",
		"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL":               "",
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.mine":           "",
		"$JS.API.CONSUMER.CREATE.SERIN_RELEASES.mine.serin.>": "",
		"$JS.API.CONSUMER.LIST.SERIN_EVENTS":                  "",
		"$JS.API.CONSUMER.NAMES.SERIN_EVENTS":                 "",
		// Reading through a consumer of one's own.
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event." + mine + ".>":            "ci operator viewer deployer",
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event." + others + ".>":          "",
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event.>":                         "",
		"$JS.API.CONSUMER.CREATE.SERIN_EVENTS.tell-slack.serin.event." + mine + ".>":   "",
		"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.x.serin.journal.1." + mine:              "operator viewer worker",
		"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.dispatch.serin.journal.1." + mine:       "",
		"$JS.API.CONSUMER.CREATE.SERIN_JOURNAL.x.serin.journal.>":                      "worker",
		"$JS.API.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.production.>":        "worker application",
		"$JS.API.CONSUMER.CREATE.KV_serin_flags.x.$KV.serin_flags.staging.>":           "worker",
		"$JS.API.DIRECT.GET.SERIN_JOURNAL.serin.journal.1." + mine:                     "operator viewer worker",
		"$JS.API.DIRECT.GET.SERIN_JOURNAL.serin.journal.1." + others:                   "worker",
		"$JS.API.DIRECT.GET.SERIN_JOURNAL":                                             "worker",
		"$JS.API.DIRECT.GET.KV_serin_flags.$KV.serin_flags.production.checkout":        "operator viewer worker",
		"$JS.API.DIRECT.GET.KV_serin_policies.$KV.serin_policies.slot." + mine:         "worker",
		"$JS.API.DIRECT.GET.SERIN_EVENTS.serin.event.production.checkout.step.started": "",
		"$JS.API.DIRECT.GET.SERIN_DLQ.serin.dlq.invalid":                               "",
	} {
		for role, c := range clients {
			got := c.lets(t, func() error { return c.Publish(subject, nil) })
			if want := slices.Contains(strings.Fields(roles), role); got != want {
				t.Errorf("%s publishes to %s: %t, want %t", role, subject, got, want)
			}
		}
	}
	for subject, roles := range map[string]string{
		"_INBOX.>":                        "",
		"_INBOX.worker.>":                 "worker",
		"_INBOX.ci-production-checkout.>": "ci",
		"serin.cmd." + mine + ".approve":  "worker",
		"serin.ack.production.*":          "worker",
		"serin.ack.>":                     "",
		"serin.event." + mine + ".>":      "deployer",
		"serin.event." + others + ".>":    "",
		"serin.rollback." + mine:          "deployer",
		"serin.release.>":                 "",
		"serin.journal.>":                 "",
		"serin.dlq.*":                     "ci",
		"serin.worker.*":                  "operator viewer worker",
		"$KV.serin_flags.>":               "",
		">":                               "",
	} {
		for role, c := range clients {
			got := c.lets(t, func() error {
				_, err := c.SubscribeSync(subject)
				return err
			})
			if want := slices.Contains(strings.Fields(roles), role); got != want {
				t.Errorf("%s subscribes to %s: %t, want %t", role, subject, got, want)
			}
		}
	}
}

func TestRolesCarryThePrefixAndTheScope(t *testing.T) {
	for _, r := range Roles(Names{Prefix: "acme.deploy"}, Scope{Service: "checkout"}) {
		for _, subject := range slices.Concat(r.Publish, r.Deny, r.Subscribe) {
			if strings.Contains(strings.ToLower(subject), "serin") {
				t.Errorf("%s: %s has another prefix", r.Name, subject)
			}
		}
		if r.Name == "ci" {
			want := []string{"acme.deploy.release.*.checkout", "acme.deploy.cmd.*.checkout.abort"}
			if diff := cmp.Diff(want, r.Publish[:2]); diff != "" || r.User != "ci-checkout" || r.Inbox != "_INBOX.ci-checkout" {
				t.Errorf("%s, inbox %s, want -, got +:\n%s", r.User, r.Inbox, diff)
			}
		}
	}
	for name, s := range map[string]Scope{"wildcard": {Service: "*"}, "two tokens": {Environment: "a.b"}, "space": {Service: "a b"}} {
		if s.Validate() == nil {
			t.Errorf("a scope with a %s is accepted", name)
		}
	}
}

// served runs a worker's handlers and hears what reaches them.
func (g guarded) served(t *testing.T) <-chan string {
	t.Helper()
	w, heard, ready := g.as(t, "worker"), make(chan string, 10), make(chan struct{})
	hear := func(kind string) func(context.Context, Request) Reply {
		return func(_ context.Context, r Request) Reply {
			heard <- kind + " " + r.Slot.String() + " " + r.Verb
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
	if _, err := (Events{JS: ci.js}).Latest(t.Context()); err != nil {
		t.Fatal(err)
	}
	end := errors.New("caught up")
	caughtUp := func(uint64, deployments.Event) error { return end }
	if err := (Events{JS: ci.js}).Follow(t.Context(), Filter{Slot: checkout}, 0, caughtUp); !errors.Is(err, end) {
		t.Fatal(err)
	}
	if reply, err := (Client{Conn: ci.Conn}).Command(t.Context(), checkout, "abort", nil); err != nil || !reply.OK {
		t.Fatalf("%+v, %v", reply, err)
	}
	if got := receive(t, heard); got != "cmd production/checkout abort" {
		t.Errorf("heard %s", got)
	}
	cart := deployments.Slot{Environment: "production", Service: "cart"}
	ci.refuses(t, "follow another service", func(ctx context.Context) error {
		return Events{JS: ci.js}.Follow(ctx, Filter{Slot: cart}, 0, caughtUp)
	})
	ci.refuses(t, "several filters", func(ctx context.Context) error {
		_, err := ci.js.CreateConsumer(ctx, "SERIN_EVENTS", jetstream.ConsumerConfig{FilterSubjects: []string{"serin.event.production.cart.>", "serin.rollback.>"}})
		return err
	})
	ci.refuses(t, "release another service", func(ctx context.Context) error {
		_, _, err := PublishRelease(ctx, ci.js, Names{}, deployments.Release{Slot: cart, Version: "1.2.0"})
		return err
	})
	// The subject names its own events, the body those of another: the server compares the two.
	body := `{"stream_name":"SERIN_EVENTS","config":{"name":"x","ack_policy":"none","deliver_policy":"all","filter_subjects":["serin.event.production.cart.>"]}}`
	msg, err := ci.RequestWithContext(t.Context(), "$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event.production.checkout.>", []byte(body))
	if err != nil || !strings.Contains(string(msg.Data), `"error"`) {
		t.Errorf("%s, %v, want an error", msg.Data, err)
	}
}

// TestServersRepliesAreNoOrders tries what permissions cannot forbid: the server sends its replies, and stored
// messages, to any subject that a request names.
func TestServersRepliesAreNoOrders(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	heard, ci, viewer := g.served(t), g.as(t, "ci"), g.as(t, "viewer")
	if _, err := g.admin.js.Publish(t.Context(), "serin.event.production.checkout.traffic.requested", []byte(`{"rollout":"r","seq":1,"percent":100}`)); err != nil {
		t.Fatal(err)
	}
	const approve, ack = "serin.cmd.production.checkout.approve", "serin.ack.production.checkout"
	spy, err := g.admin.SubscribeSync("serin.*.production.checkout.>")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := g.admin.SubscribeSync(ack)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	push := `{"stream_name":"SERIN_EVENTS","config":{"name":"x","ack_policy":"none","deliver_policy":"all","deliver_subject":"` + ack +
		`","filter_subject":"serin.event.*.*.>"}}`
	for _, m := range []struct {
		by   *client
		msg  nats.Msg
		seen *nats.Subscription
	}{
		{ci, nats.Msg{Subject: "serin.release.production.checkout", Reply: approve, Data: []byte(`{"version":"1"}`)}, spy},
		{viewer, nats.Msg{Subject: "$JS.API.STREAM.INFO.SERIN_EVENTS", Reply: approve}, spy},
		{ci, nats.Msg{Subject: "$JS.API.CONSUMER.CREATE.SERIN_EVENTS.x.serin.event.*.*.>", Data: []byte(push)}, forged},
	} {
		if err := m.by.PublishMsg(&m.msg); err != nil {
			t.Fatal(err)
		}
		// It really comes: what ignores it is the worker.
		if _, err := m.seen.NextMsg(patience); err != nil {
			t.Fatalf("%s: %v", m.msg.Subject, err)
		}
	}
	deployer := g.as(t, "deployer")
	if reply, err := (Client{Conn: deployer.Conn}).Ack(t.Context(), checkout, nil); err != nil || !reply.OK {
		t.Fatalf("%+v, %v", reply, err)
	}
	if got := receive(t, heard); got != "ack production/checkout " || len(heard) != 0 {
		t.Errorf("heard %s first, %d more", got, len(heard))
	}
}

func TestServerAcceptsThePrintedConfiguration(t *testing.T) {
	roles := Roles(Names{}, Scope{Environment: "production"})
	text := "accounts: {}\n" + ServerConfig(roles)
	for _, r := range roles {
		t.Setenv(password(r.User), "secret-of-"+r.Name)
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		t.Fatal(err)
	}
	for i, r := range roles {
		u := opts.Users[i]
		want := server.User{Username: r.User, Password: "secret-of-" + r.Name}
		if diff := cmp.Diff([]string{want.Username, want.Password}, []string{u.Username, u.Password}); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		if diff := cmp.Diff([][]string{r.Publish, r.Deny, r.Subscribe}, [][]string{u.Permissions.Publish.Allow, u.Permissions.Publish.Deny, u.Permissions.Subscribe.Allow}); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", r.Name, diff)
		}
	}
}
