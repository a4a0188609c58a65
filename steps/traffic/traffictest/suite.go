package traffictest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/serin-cd/serin/steps"
)

// Exposer is a mover.
type Exposer interface {
	Expose(ctx context.Context, e steps.Exposure) (steps.Observed, error)
}

// Probe measures the world.
type Probe struct {
	Share       func() (steps.Share, error) // the new version's share now, from another source than the mover
	Within      steps.Share                 // how exact Share is; 0 % and 100 % are always exact
	Settle      time.Duration               // how long after a confirmation the world may still show the old share
	Unconfirmed bool                        // the mover has no way to confirm
}

const patience = 20 * time.Second

// Run runs the suite. world makes a fresh mover, and the way to probe what it moves, for each test.
func Run(t *testing.T, world func(t *testing.T) (Exposer, Probe)) {
	t.Helper()
	start := func(t *testing.T) suite {
		mover, probe := world(t)
		return suite{T: t, mover: mover, probe: probe}
	}
	t.Run("a share is absolute", func(t *testing.T) { start(t).absolute() })
	t.Run("the same share again changes nothing", func(t *testing.T) { start(t).idempotent() })
	t.Run("a kill reaches 0 from every share", func(t *testing.T) { start(t).kill() })
	t.Run("a call that is over before it begins changes nothing", func(t *testing.T) { start(t).dead() })
	t.Run("a kill reaches 0 after a call cancelled at any moment", func(t *testing.T) { start(t).cancelled() })
}

type suite struct {
	*testing.T
	mover Exposer
	probe Probe
}

func exposure(s steps.Share) steps.Exposure {
	return steps.Exposure{Share: s, Version: "1.4.2", Stable: "1.4.1", Kill: s == 0}
}

func (s suite) absolute() {
	for _, share := range []steps.Share{500, 2500, 5000, 2500, steps.All, 500, 0, 50} {
		s.expose(share)
		s.expect(share)
	}
}

func (s suite) idempotent() {
	for _, share := range []steps.Share{2500, 2500, 2500, 0, 0} {
		s.expose(share)
		s.expect(share)
	}
}

func (s suite) kill() {
	for _, share := range []steps.Share{500, 5000, steps.All} {
		s.expose(share)
		s.expose(0)
		s.expect(0)
	}
}

func (s suite) dead() {
	s.expose(2500)
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if seen, err := s.mover.Expose(ctx, exposure(5000)); err == nil && seen.Confirmed {
		s.Errorf("a call whose context had ended confirmed %v", seen)
	}
	s.expect(2500)
}

// cancelled cuts calls off at moments from at once to well after their end, and kills after each.
func (s suite) cancelled() {
	s.expose(2500)
	for after := 250 * time.Microsecond; after < 500*time.Millisecond; after *= 2 {
		ctx, cancel := context.WithTimeout(s.Context(), after)
		if seen, err := s.mover.Expose(ctx, exposure(steps.All)); err == nil && seen.Confirmed {
			s.expect(steps.All)
		}
		cancel()
		s.expose(0)
		s.expect(0)
	}
}

// expose asks until the share is confirmed, as the worker does.
func (s suite) expose(share steps.Share) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	for {
		seen, err := s.mover.Expose(ctx, exposure(share))
		switch {
		case err != nil:
			s.Fatalf("expose %v: %v", share, err)
		case seen.Confirmed && seen.Share != share:
			s.Fatalf("expose %v confirmed another share: %+v", share, seen)
		case seen.Confirmed, s.probe.Unconfirmed:
			return
		case ctx.Err() != nil:
			s.Fatalf("expose %v is not confirmed: %+v", share, seen)
		}
	}
}

// expect probes until the world has settled at share, and then once more: it must stay.
func (s suite) expect(share steps.Share) {
	s.Helper()
	began := time.Now()
	for {
		err := s.at(share)
		if err == nil {
			break
		}
		if time.Since(began) > s.probe.Settle {
			s.Fatalf("%v after it was asked for: %v", s.probe.Settle, err)
		}
	}
	if err := s.at(share); err != nil {
		s.Fatalf("it did not stay: %v", err)
	}
}

func (s suite) at(want steps.Share) error {
	got, err := s.probe.Share()
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	within := s.probe.Within
	if want == 0 || want == steps.All {
		within = 0
	}
	if got < want-within || got > want+within {
		return fmt.Errorf("the world shows %v, wanted %v", got, want)
	}
	return nil
}
