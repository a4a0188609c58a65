package openfeature

import (
	"cmp"
	"context"
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
	s := p.begin(ctx)
	select {
	case <-s.tried:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("load flags: %w", context.Cause(ctx))
	}
}

// begin starts the goroutines unless they run.
func (p *Provider) begin(ctx context.Context) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		return p.session
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{stop: stop, tried: make(chan struct{}), done: make(chan struct{})}
	p.session = s
	var wg sync.WaitGroup
	wg.Go(func() { p.outbox.run(life) })
	wg.Go(func() { p.follow(life, s) })
	go func() { wg.Wait(); close(s.done) }()
	return s
}

// Shutdown is ShutdownWithContext without a deadline.
func (p *Provider) Shutdown() { _ = p.ShutdownWithContext(context.Background()) }

// ShutdownWithContext stops following and waits for the goroutines, at most until ctx ends. Evaluations then answer
// PROVIDER_NOT_READY. A provider that was shut down may be initialised again.
func (p *Provider) ShutdownWithContext(ctx context.Context) error {
	p.mu.Lock()
	s := p.session
	p.session = nil
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
