package main

import (
	"log/slog"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// offering is a worker with a policy for the checkout, as far as it offers it.
func offering(t *testing.T, s *jetstream.Server, limit string) (o *offers, gone func()) {
	t.Helper()
	nc, err := s.Connect(t.Context(), jetstream.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := jetstream.Setup(t.Context(), js, jetstream.Layout{Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	store, err := jetstream.OpenPolicies(t.Context(), js, jetstream.Names{})
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("service: checkout\ntraffic: {version_flag: v}\nrules: [{name: up, query: up, max: " + limit + "}]\n")
	ps, findings := deployments.ParsePolicies("checkout.yaml", text)
	if findings.Err() != nil {
		t.Fatal(findings)
	}
	cfg := daemonConfig{Policies: []policyFile{{"checkout.yaml", text, ps}}, Log: slog.New(slog.DiscardHandler), Env: Env{Now: time.Now}}
	return newOffers(js, store, cfg, prom.NewRegistry()), nc.Close
}

func TestAPolicyThatWaitsCountsWhenTheOthersHaveBeenGoneForLong(t *testing.T) {
	s, err := jetstream.Embed(t.Context(), jetstream.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Shutdown() }()
	first, gone := offering(t, s, "1")
	second, _ := offering(t, s, "2")
	for _, o := range []*offers{first, second} {
		if err := o.open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	counts := func(o *offers, want bool) {
		t.Helper()
		p := o.files[0].policies[0]
		if hash, err := second.store.Offered(t.Context(), p.Slot); err != nil || (hash == p.Hash) != want {
			t.Errorf("it counts: %t, want %t (%v)", hash == p.Hash, want, err)
		}
	}
	again := func(n int) {
		t.Helper()
		for range n {
			if err := second.again(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	again(2 * offerAfter)
	counts(first, true)
	gone()
	again(offerAfter - 1)
	counts(first, true)
	again(1)
	counts(second, true)
	if len(second.told) != 0 {
		t.Error("it is still said to wait")
	}
}
