package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

// Options are what all versions of a service have in common.
type Options struct {
	Name       string           // default "shop"
	Work       time.Duration    // what a usual answer takes on average
	Background float64          // share of 500s of a version without fault; 0: its error series never exists
	Now        func() time.Time // default time.Now
	Rand       func() float64   // from 0 to 1, safe for concurrent use; default math/rand
}

// Service is the versions that run now. It is safe for concurrent use.
type Service struct {
	opts Options

	mu      sync.Mutex
	running []*version // in the order of their start; crashed ones too
	stopped []*version // in the order of their end
	answers answers
}

// New makes a service of which nothing runs yet.
func New(opts Options) *Service {
	if opts.Name == "" {
		opts.Name = "shop"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Float64
	}
	return &Service{opts: opts, answers: newAnswers()}
}

// Start runs a version. It has no traffic until the flag names it.
func (s *Service) Start(ctx context.Context, name string, f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("start version %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(name) != nil {
		return fmt.Errorf("start version %s: it runs already", name)
	}
	v := newVersion(name, f, s.opts)
	if err := v.listen(ctx); err != nil {
		return err
	}
	s.running = append(s.running, v)
	return nil
}

// Stop ends a version, crashed or not, and waits for what it is serving. It is no target any more.
func (s *Service) Stop(ctx context.Context, name string) error {
	s.mu.Lock()
	v := s.find(name)
	s.running = slices.DeleteFunc(s.running, func(other *version) bool { return other == v })
	if v != nil {
		s.stopped = append(s.stopped, v)
	}
	s.mu.Unlock()
	if v == nil {
		return fmt.Errorf("stop version %s: it does not run", name)
	}
	return v.stop(ctx)
}

// Close stops all versions.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	all := s.running
	s.stopped = append(s.stopped, s.running...)
	s.running = nil
	s.mu.Unlock()
	var errs []error
	for _, v := range all {
		errs = append(errs, v.stop(ctx))
	}
	return errors.Join(errs...)
}

// Begin makes a version's fault act now, whatever its share.
func (s *Service) Begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.find(name); v != nil {
		s.begin(v)
	}
}

// FirstBad is when a version's fault first hurt: its first bad answer, its crash, or the first request it got against
// the flag. It is zero while it has not; NoTraffic hurts nobody. Of a stopped version it tells the last run.
func (s *Service) FirstBad(name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range slices.Backward(slices.Concat(s.stopped, s.running)) {
		if v.name == name {
			return v.hurt()
		}
	}
	return time.Time{}
}

// Share is a version's part of the flag's last 200 answers, in basis points; 0 while there are fewer than 50.
func (s *Service) Share(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers.share(name)
}

// URL is where a version is reached, "" where it does not run.
func (s *Service) URL(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.find(name); v != nil {
		return v.url()
	}
	return ""
}

// Targets are the metrics pages of all versions started and not stopped. A crashed one is still a target.
func (s *Service) Targets() []promlab.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []promlab.Target
	for _, v := range s.running {
		out = append(out, promlab.Target{
			URL: v.url() + "/metrics", Job: s.opts.Name,
			Labels: map[string]string{"service": s.opts.Name, "version": v.name},
		})
	}
	return out
}

func (s *Service) find(name string) *version {
	for _, v := range s.running {
		if v.name == name {
			return v
		}
	}
	return nil
}
