package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/flags/openfeature"
	"github.com/serin-cd/serin/internal/lab/service"
)

// startUsers lets the users come. Each of their requests asks the flag as an application does: by OpenFeature, on a
// connection of its own.
func (s *stage) startUsers(ctx context.Context) error {
	_, js, err := s.dial(ctx, "shop")
	if err != nil {
		return err
	}
	api := isolated.NewAPI()
	s.onStop(func(ctx context.Context) { _ = api.Shutdown(ctx) })
	if err := api.SetProviderAndWait(ctx, &openfeature.Provider{JetStream: js, Environment: s.policy.Environment, Bucket: s.bucket()}); err != nil {
		return fmt.Errorf("load the flags: %w", err)
	}
	client := api.NewClient()
	s.sight = &sight{now: s.env.Now, which: service.AskFlag(client, demoFlag, demoStable)}
	changed := func(of.EventDetails) { s.sight.look(ctx) }
	client.AddHandler(of.ProviderConfigChange, &changed)
	s.load = service.NewLoad(s.world.Service, s.sight.which)
	s.load.PerSecond = demoLoad
	stop := s.world.Drive(ctx, s.load)
	s.onStop(func(context.Context) { stop() })
	return nil
}

// sight is what the application itself is served by the flag, looked at after each change. Serin's confirmation proves
// what the flag's source serves; the application has it when the change has come to it too.
type sight struct {
	now   func() time.Time
	which service.Which

	mu   sync.Mutex
	seen []glance
}

// glance is which versions some users got at an instant, or before it.
type glance struct {
	at       time.Time
	versions []string
}

// look asks for some users, one without a key among them.
func (s *sight) look(ctx context.Context) {
	const users = 64
	var g glance
	for n := range users {
		user := ""
		if n > 0 {
			user = "user-" + strconv.Itoa(n)
		}
		v, err := s.which(ctx, user)
		if err != nil {
			return // what it falls back to is not what the flag serves
		}
		if !slices.Contains(g.versions, v) {
			g.versions = append(g.versions, v)
		}
	}
	g.at = s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, g)
}

// goneAt is when, from an instant on, the application was first seen without a version; zero when it was not.
func (s *sight) goneAt(version string, from time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.seen {
		if !g.at.Before(from) && !slices.Contains(g.versions, version) {
			return g.at
		}
	}
	return time.Time{}
}
