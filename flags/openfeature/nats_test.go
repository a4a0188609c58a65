package openfeature_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.uber.org/goleak"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/openfeature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; nothing waits for it when all is well.
const patience = 30 * time.Second

// bench is a NATS server that can be stopped and started on the same port, and a bucket on it.
type bench struct {
	t      testing.TB
	dir    string
	port   int
	server *server.Server
	js     jetstream.JetStream
	store  writer
}

func start(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	b.up()
	t.Cleanup(b.down)
	b.js = b.connect()
	kv, err := makeBucket(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	b.store = writer{kv}
	return b
}

func (b *bench) up() {
	b.t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, JetStream: true, StoreDir: b.dir, NoSigs: true, NoLog: true})
	if err != nil {
		b.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		b.t.Fatal("NATS does not start")
	}
	b.server, b.port = s, s.Addr().(*net.TCPAddr).Port
}

func (b *bench) down() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *bench) connect() jetstream.JetStream {
	b.t.Helper()
	nc, err := nats.Connect(b.server.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	return js
}

// put writes a definition under a store key, as a person would.
func (b *bench) put(key, definition string) (revision uint64) {
	b.t.Helper()
	revision, err := b.store.kv.Put(b.t.Context(), key, []byte(definition))
	if err != nil {
		b.t.Fatal(err)
	}
	return revision
}

func (b *bench) edit(key string, e flags.Edit) flags.Change {
	b.t.Helper()
	c, err := flags.Apply(b.t.Context(), b.store, key, e)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) confirmer() *openfeature.Confirmer {
	b.t.Helper()
	c, err := openfeature.OpenConfirmer(b.t.Context(), b.connect(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(b.t.Context())); err != nil {
			b.t.Error(err)
		}
	})
	return c
}

// app is an application: an OpenFeature client over a provider, and the events it got.
type app struct {
	*of.Client
	t      testing.TB
	api    *of.EvaluationAPI
	events map[of.EventType]chan of.EventDetails
}

func newApp(t testing.TB) *app {
	a := &app{t: t, api: isolated.NewAPI(), events: map[of.EventType]chan of.EventDetails{}}
	for _, kind := range []of.EventType{of.ProviderReady, of.ProviderStale, of.ProviderConfigChange, of.ProviderError} {
		ch := make(chan of.EventDetails, 1000)
		handler := func(d of.EventDetails) { ch <- d }
		a.events[kind] = ch
		a.api.AddHandler(kind, &handler)
	}
	t.Cleanup(func() {
		if err := a.api.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	a.Client = a.api.NewClient()
	return a
}

func (a *app) use(p *openfeature.Provider) *app {
	a.t.Helper()
	if err := a.api.SetProviderAndWait(a.t.Context(), p); err != nil {
		a.t.Fatal(err)
	}
	a.await(of.ProviderReady)
	return a
}

func (a *app) await(kind of.EventType) of.EventDetails {
	a.t.Helper()
	select {
	case d := <-a.events[kind]:
		return d
	case <-time.After(patience):
		a.t.Fatalf("no %s", kind)
		return of.EventDetails{}
	}
}

// awaitValue waits until the version flag gives the value, looking again at each change.
func (a *app) awaitValue(key, want string) {
	a.t.Helper()
	for {
		got, err := a.StringValue(a.t.Context(), key, "unset", of.EvaluationContext{})
		if err == nil && got == want {
			return
		}
		a.await(of.ProviderConfigChange)
	}
}
