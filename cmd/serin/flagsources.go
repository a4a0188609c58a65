package main

import (
	"fmt"
	"sync"

	"github.com/serin-cd/serin/flags"
)

// flagSources are the systems that keep flags: Serin's own, and those that policies name. Each is opened once.
type flagSources struct {
	own flagSource

	mu     sync.Mutex
	opened map[string]flagSource // by Source.ID
}

type flagSource struct {
	flags.Store
	flags.Confirmer
}

// open is where a policy's flags are kept, and what evaluates them.
func (s *flagSources) open(src *flags.Source) (flags.Store, flags.Confirmer, error) {
	if src == nil {
		return s.own.Store, s.own.Confirmer, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.opened[src.ID()]; ok {
		return x.Store, x.Confirmer, nil
	}
	x, err := openSource(*src)
	if err != nil {
		return nil, nil, fmt.Errorf("flags of %s: %w", src, err)
	}
	if s.opened == nil {
		s.opened = map[string]flagSource{}
	}
	s.opened[src.ID()] = x
	return x.Store, x.Confirmer, nil
}

// openSource makes what speaks to a system. It asks nobody yet.
func openSource(src flags.Source) (flagSource, error) {
	switch src.Kind {
	case flags.Unleash, flags.LaunchDarkly, flags.File, flags.Webhook:
	}
	return flagSource{}, fmt.Errorf("this program knows no %s", src.Kind)
}
