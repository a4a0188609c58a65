package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/flagdfile"
	"github.com/serin-cd/serin/flags/launchdarkly"
	"github.com/serin-cd/serin/flags/ofrep"
	"github.com/serin-cd/serin/flags/unleash"
	"github.com/serin-cd/serin/flags/webhook"
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
	client := &http.Client{Timeout: flagCall}
	switch src.Kind {
	case flags.Unleash:
		x, err := unleash.New(src, client)
		return flagSource{x, x}, err
	case flags.LaunchDarkly:
		x, err := launchdarkly.New(src, client)
		return flagSource{x, x}, err
	case flags.File:
		x, err := flagdfile.New(src)
		return evaluatedBy(x, src, client, err)
	case flags.Webhook:
		x, err := webhook.New(src, client, time.Now)
		return evaluatedBy(x, src, client, err)
	}
	return flagSource{}, fmt.Errorf("this program knows no %s", src.Kind)
}

// flagCall bounds one call to a system that keeps flags.
const flagCall = 10 * time.Second

// evaluatedBy is a store whose flags are confirmed by OFREP.
func evaluatedBy(store flags.Store, src flags.Source, client *http.Client, err error) (flagSource, error) {
	if err != nil {
		return flagSource{}, err
	}
	confirmer, err := ofrep.NewConfirmer(src, client)
	return flagSource{store, confirmer}, err
}
