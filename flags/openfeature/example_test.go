package openfeature_test

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/openfeature"
)

// An application asks which version of the checkout a customer gets, and serves it.
func ExampleProvider() {
	ctx := context.Background()
	nc, stop := exampleServer(ctx) // in production: nats.Connect(url, nats.MaxReconnects(-1))
	defer stop()

	js, err := jetstream.New(nc)
	if err != nil {
		fmt.Println(err)
		return
	}
	api := isolated.NewAPI() // or the functions of package openfeature, for the global one
	err = api.SetProviderAndWait(ctx, &openfeature.Provider{JetStream: js, Environment: "production"})
	if err != nil {
		fmt.Println(err) // flags come later: evaluations give their defaults until then
	}
	defer func() { _ = api.Shutdown(ctx) }()

	client := api.NewClient()
	for _, customer := range []string{"customer-1", "customer-2", "customer-3", "customer-4"} {
		checkout := client.String(ctx, "checkout", "v1", of.NewEvaluationContext(customer, nil))
		fmt.Println(customer, "gets", checkout)
	}
	fmt.Println("without a targeting key:", client.String(ctx, "checkout", "v1", of.EvaluationContext{}))
	// Output:
	// customer-1 gets v1
	// customer-2 gets v2
	// customer-3 gets v2
	// customer-4 gets v1
	// without a targeting key: v1
}

// exampleServer is a NATS server in the process, with a flag that is ramped to 50 %.
func exampleServer(ctx context.Context) (*nats.Conn, func()) {
	dir, _ := os.MkdirTemp("", "serin-example")
	s, _ := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	s.Start()
	nc, _ := nats.Connect("", nats.InProcessServer(s))
	js, _ := jetstream.New(nc)
	kv, _ := makeBucket(ctx, js)
	store := writer{kv}
	checkout, _ := flags.Parse("checkout", []byte(`{"state":"ENABLED","variants":{"v1":"v1"},"defaultVariant":"v1"}`))
	_, _ = store.Update(ctx, "production.checkout", checkout, 0)
	_, err := flags.Apply(ctx, store, "production.checkout", flags.Ramp{
		Fence: flags.Fence{Rollout: "r-1", Slot: "production/shop", Generation: 1, Seq: 1}, Variant: "v2", Base: "v1", Share: 5000,
	})
	if err != nil {
		fmt.Println(err)
	}
	return nc, func() {
		nc.Close()
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	}
}
