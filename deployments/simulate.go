package deployments

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Script is what happens in a simulation besides what the policy does by itself.
type Script struct {
	Release      Release
	Stable       string        // promoted before; "": nothing was
	At           time.Time     // when the release comes
	Until        time.Time     // the simulation goes no further
	ConfirmAfter time.Duration // how long an exposure takes to be confirmed
	Happenings   []Happening   // in the order of time
	Looks        []time.Time   // instants at which the rules are read besides, in the order of time: that decides nothing
}

// Happening is an order by a person, or a newer release of the slot where Release names a version.
type Happening struct {
	At      time.Time
	Command steps.Command
	Release Release
}

// Simulated is how a simulation went.
type Simulated struct {
	Entries []Entry // of the journal, oldest first; the first one takes in the release
	Rounds  []Round // readings that were decided on, oldest first
	Looks   []Round // readings besides, one for each of the script that time came to
}

// Round is what was read at one instant.
type Round struct {
	At         time.Time
	Judgements []analysis.Judgement
	Stable     bool   // of the stable version: after a rollback it serves the users
	Why        string // why nothing was read, or ""
}

// inPhase stands for a policy's hash: with it, every interval that divides a day is due at its multiples from midnight
// UTC. Of the real hash each change of a comment would make other instants.
const inPhase = "simulation-hhnw6"

// maxTurns bounds what one instant may bring about.
const maxTurns = 1000

// Simulate takes a release through its policy in simulated time: by the worker's own decisions, with no world but the
// answers of the analyst. Prometheus answers at once, and exposures are confirmed when the script says so. It ends with
// the rollout, or at the script's end. An error says that the release is refused.
func Simulate(ctx context.Context, p Policy, a Analyst, s Script) (Simulated, error) {
	sim := newSimulation(p, a, s)
	if _, err := sim.w.Accept(ctx, s.Release); err != nil {
		return Simulated{}, err
	}
	sim.entry, sim.first = sim.journal.last(), sim.journal.last().Rollout
	for {
		if err := sim.instant(ctx); err != nil {
			return sim.done(), err
		}
		next, ok := sim.next()
		if !ok || next.After(s.Until) || ctx.Err() != nil {
			return sim.done(), ctx.Err()
		}
		sim.now = next
	}
}

// simulation is one worker with one slot, whose clock stands still until all that is due has been done.
type simulation struct {
	*runner
	script  Script
	out     Simulated
	journal *diary
	now     time.Time
	first   string // the rollout that is followed
	calls   []call // of the mover, under way
}

// call is a wish that will be answered.
type call struct {
	Wish
	at    time.Time
	retry time.Duration
}

func newSimulation(p Policy, a Analyst, s Script) *simulation {
	p.Hash, p.Source = inPhase, nil
	sim := &simulation{script: s, journal: &diary{stable: s.Stable}, now: s.At}
	w := &Worker{Name: "simulation", Journal: sim.journal, Policies: offering(inPhase), Analyst: a, Metrics: NewMetrics(prometheus.NewRegistry()),
		Now: func() time.Time { return sim.now }, Log: slog.New(slog.DiscardHandler), Reach: func(context.Context, string) error { return nil }}
	w.prepare()
	w.batches.asks = make(chan question, 1) // nobody runs the batcher: the question is taken by who asked it
	w.policies.files = map[string]*policyFile{inPhase: {hash: inPhase, loaded: true, of: map[Slot]Policy{s.Release.Slot: p}}}
	w.policies.goBy = map[Slot]*policyFile{}
	sim.runner = newRunner(w, Entry{}, func() {})
	return sim
}

// instant does all that is due now. Looks come first: they show what the readings of this instant are decided by.
func (s *simulation) instant(ctx context.Context) error {
	s.look(ctx)
	for range maxTurns {
		rev := s.entry.Rev
		s.lapse(ctx)
		s.confirm(ctx)
		s.read(ctx)
		s.obey(ctx)
		if s.over() || s.entry.Rev == rev {
			return nil
		}
	}
	return fmt.Errorf("the rollout does not come to rest at %s", s.now)
}

// next is when there is something to do again.
func (s *simulation) next() (time.Time, bool) {
	var next time.Time
	sooner := func(at time.Time) {
		if at.After(s.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, at := range s.script.Looks {
		sooner(at)
	}
	if s.over() {
		return next, !next.IsZero()
	}
	if at, ok := s.entry.State.Rollout.WakeAt(); ok {
		sooner(at)
	}
	if at, ok := s.measuring.dueAt(0); ok {
		sooner(at)
	}
	for _, c := range s.calls {
		sooner(c.at)
	}
	for _, h := range s.script.Happenings {
		sooner(h.At)
	}
	return next, !next.IsZero()
}

// over reports whether the rollout that is followed has ended.
func (s *simulation) over() bool {
	return s.entry.Rollout != s.first || !s.entry.State.Live()
}

// look reads all rules as the rollout stands.
func (s *simulation) look(ctx context.Context) {
	for len(s.script.Looks) > 0 && !s.script.Looks[0].After(s.now) {
		s.script.Looks = s.script.Looks[1:]
		round := Round{At: s.now}
		if m := s.measuring; s.over() || m == nil || len(m.Rules) == 0 {
			round.Why = unread(s.entry.State.Rollout, s.script.At)
		} else {
			round.Stable = m.Stable
			round.Judgements = s.w.Analyst.Measure(ctx, m.requests(*s.entry.State.Rollout, m.Rules), s.now)
		}
		s.out.Looks = append(s.out.Looks, round)
	}
}

// unread says why no rule is read.
func unread(r *steps.Rollout, begin time.Time) string {
	if r.Phase == steps.Ended {
		return fmt.Sprintf("the rollout ended %v after the release, %s", r.EndedAt.Sub(begin), r.Outcome)
	}
	if r.Phase == steps.Reverting {
		return "the release is being taken back"
	}
	return "the new version has no confirmed traffic yet"
}

// confirm answers the wishes whose time has come, and takes up new ones.
func (s *simulation) confirm(ctx context.Context) {
	for _, w := range s.entry.wishes() {
		if !s.calling(w) {
			s.calls = append(s.calls, call{Wish: w, at: s.now.Add(s.delay(w)), retry: firstRetry})
		}
	}
	for i := 0; i < len(s.calls); {
		c := &s.calls[i]
		switch {
		case !s.entry.wants(c.Wish):
			s.calls = append(s.calls[:i], s.calls[i+1:]...)
			continue
		case !c.at.After(s.now):
			s.answer(ctx, c)
		}
		i++
	}
}

func (s *simulation) calling(w Wish) bool {
	for _, c := range s.calls {
		if c.Target == w.Target && c.Seq == w.Seq && c.Rollout == w.Rollout {
			return true
		}
	}
	return false
}

// delay is how long the first answer to a wish takes. Whether a version is ready is known at once.
func (s *simulation) delay(w Wish) time.Duration {
	if w.Target == steps.Ready {
		return 0
	}
	return s.script.ConfirmAfter
}

// answer confirms a wish. A version that is not ready is asked again, as by an executor.
func (s *simulation) answer(ctx context.Context, c *call) {
	in := steps.Applied{Rollout: c.Rollout, Seq: c.Seq, Target: c.Target, Observed: c.Exposure.Share, Confirmed: true, How: "simulated"}
	if c.Target == steps.Ready {
		observed, err := s.w.probe(ctx, c.Wish)
		if in.Confirmed, in.How = observed.Confirmed && err == nil, observed.How; err != nil {
			in.Err = err.Error()
		}
	}
	c.at, c.retry = s.now.Add(c.retry), min(2*c.retry, lastRetry)
	s.handle(ctx, in)
}

// read asks for the readings that are due, and decides on them.
func (s *simulation) read(ctx context.Context) {
	s.measure(ctx)
	if !s.asked {
		return
	}
	q := <-s.w.batches.asks
	s.w.batches.measure(ctx, q.at, []question{q})
	a := <-s.results
	s.out.Rounds = append(s.out.Rounds, Round{At: a.at, Judgements: a.judgements, Stable: a.measure.Stable})
	s.measured(ctx, a)
}

// obey lets happen what the script has for now.
func (s *simulation) obey(ctx context.Context) {
	for len(s.script.Happenings) > 0 && !s.script.Happenings[0].At.After(s.now) {
		h := s.script.Happenings[0]
		s.script.Happenings = s.script.Happenings[1:]
		if h.Release.Version == "" {
			s.handle(ctx, h.Command)
			continue
		}
		// One that is refused changes nothing for the rollout under way: the journal has the answer.
		_, _ = s.w.Accept(ctx, h.Release)
		s.entry = s.journal.last()
	}
}

func (s *simulation) done() Simulated {
	s.out.Entries = s.journal.entries
	return s.out
}
