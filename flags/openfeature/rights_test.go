package openfeature_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags/openfeature"
)

// applicationRights is what the flags chapter tells people to grant.
var applicationRights = &server.Permissions{
	Publish: &server.SubjectPermission{Allow: []string{
		"$JS.API.STREAM.INFO.KV_serin_flags",
		"$JS.API.CONSUMER.CREATE.KV_serin_flags.*.$KV.serin_flags.production.>",
		"$JS.API.CONSUMER.DELETE.KV_serin_flags.*",
		"$JS.FC.KV_serin_flags.>",
	}},
	Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_app.>"}},
}

func TestApplicationNeedsOnlyTheRightsOfItsEnvironment(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "worker", Password: "w"}, {Username: "app", Password: "a", Permissions: applicationRights}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	refused := make(chan error, 100)
	as := func(user, password string) jetstream.JetStream {
		nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo(user, password), nats.CustomInboxPrefix("_INBOX_"+user),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		return js
	}
	worker, app := as("worker", "w"), as("app", "a")
	kv, err := makeBucket(t.Context(), worker)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), key, []byte(version("v1"))); err != nil {
		t.Fatal(err)
	}
	a := newApp(t).use(&openfeature.Provider{JetStream: app, Environment: "production"})
	a.awaitValue(flagKey, "v1")
	if _, err := kv.Put(t.Context(), key, []byte(version("v2"))); err != nil {
		t.Fatal(err)
	}
	a.awaitValue(flagKey, "v2")

	// A refused request gets no answer: the server's complaint ends the wait for it.
	isRefused := func(what string, try func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			for err := range refused {
				if strings.Contains(err.Error(), what) {
					break
				}
			}
			cancel()
		})
		if try(ctx) == nil {
			t.Errorf("the application is let through to %s", what)
			refused <- errors.New(what)
		}
		wg.Wait()
	}
	mine, err := app.KeyValue(t.Context(), openfeature.DefaultBucket)
	if err != nil {
		t.Fatal(err)
	}
	isRefused("$KV.serin_flags."+key, func(ctx context.Context) error {
		_, err := mine.Put(ctx, key, []byte(version("v3")))
		return err
	})
	other := newApp(t)
	isRefused("$KV.serin_flags.staging.>", func(ctx context.Context) error {
		return other.api.SetProviderAndWait(ctx, &openfeature.Provider{JetStream: app, Environment: "staging"})
	})
	if v, _ := a.StringValue(t.Context(), flagKey, "", of.EvaluationContext{}); v != "v2" {
		t.Errorf("in the end it serves %q", v)
	}
}
