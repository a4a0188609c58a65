package openfeature

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
)

// DefaultBucket is the bucket Serin writes unless a prefix was configured.
const DefaultBucket = "serin_flags"

// Provider is an OpenFeature provider over the flag bucket. Make it as a literal and register its address; the fields
// must not change afterwards. It may be registered under several domains of one API.
type Provider struct {
	JetStream   jetstream.JetStream
	Environment string // whose flags are served, under their keys; "" serves all, under <environment>.<key>
	Bucket      string // "" is DefaultBucket

	flags   atomic.Pointer[snapshot] // nil before the first load and after Shutdown
	outbox  outbox
	mu      sync.Mutex
	session *session
	closed  bool // by Shutdown, for good
}

var (
	_ of.FeatureProvider          = (*Provider)(nil)
	_ of.ContextAwareStateHandler = (*Provider)(nil)
	_ of.EventHandler             = (*Provider)(nil)
)

// session is the time between Init and Shutdown.
type session struct {
	stop  context.CancelFunc
	tried chan struct{} // closed after the first try to load
	err   error         // of the first try; read after tried is closed
	done  chan struct{} // closed when all goroutines have ended
}

// Metadata names the provider.
func (p *Provider) Metadata() of.Metadata { return of.Metadata{Name: "serin"} }

// Hooks are none.
func (p *Provider) Hooks() []of.Hook { return nil }

// EventChannel carries STALE, READY and CONFIGURATION_CHANGED. It is never closed. Changes that nobody has taken yet are
// merged into one event.
func (p *Provider) EventChannel() <-chan of.Event { return p.outbox.channel() }

// Init is InitWithContext without a deadline.
func (p *Provider) Init(ec of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), ec)
}

// InitWithContext loads all flags and begins to follow them. It returns what came of the first try; after an error it
// goes on trying in the background until Shutdown, and emits READY when it succeeds. ctx bounds the wait, not the
// provider's life.
func (p *Provider) InitWithContext(ctx context.Context, _ of.EvaluationContext) error {
	if strings.ContainsAny(p.Environment, ".*> ") {
		return fmt.Errorf("environment %q is no name of an environment", p.Environment)
	}
	s, err := p.begin(ctx)
	if err != nil {
		return fmt.Errorf("load flags: %w", err)
	}
	select {
	case <-s.tried:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("load flags: %w", context.Cause(ctx))
	}
}

// begin starts the goroutines unless they run. It refuses after Shutdown: the SDK initialises in a goroutine of its own,
// which may come to it only when the application has shut down, and nobody would ever stop what it starts.
func (p *Provider) begin(ctx context.Context) (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, errors.New("the provider was shut down")
	case p.session != nil:
		return p.session, nil
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{stop: stop, tried: make(chan struct{}), done: make(chan struct{})}
	p.session = s
	var wg sync.WaitGroup
	wg.Go(func() { p.outbox.run(life) })
	wg.Go(func() { p.follow(life, s) })
	go func() { wg.Wait(); close(s.done) }()
	return s, nil
}

// Shutdown is ShutdownWithContext without a deadline.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// ShutdownWithContext stops following and waits for the goroutines, at most until ctx ends. Evaluations then answer
// PROVIDER_NOT_READY. It is for good: a provider that was shut down is not initialised again.
func (p *Provider) ShutdownWithContext(ctx context.Context) error {
	p.mu.Lock()
	s := p.session
	p.closed = true
	p.mu.Unlock()
	if s == nil {
		return nil
	}
	s.stop()
	select {
	case <-s.done:
		p.flags.Store(nil)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop following flags: %w", context.Cause(ctx))
	}
}

func (p *Provider) bucket() string { return cmp.Or(p.Bucket, DefaultBucket) }
