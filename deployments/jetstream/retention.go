package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Bounds of retention.
const (
	DefaultRetention = 400 * 24 * time.Hour
	MinRetention     = time.Hour
	sweepEvery       = 6 * time.Hour
)

// Retention purges rollouts that ended long ago. It purges whole ones, oldest first within a slot, and only once their
// summary is stored: never an entry that a durable consumer of the journal has still to acknowledge, nor the one before
// it, never anything of a rollout that has not ended, and never a slot's last rollout. Any number of workers may run one.
type Retention struct {
	JS      jetstream.JetStream
	Names   Names
	Journal *Journal
	Keep    time.Duration    // since the end of a rollout, as the server tells the time
	Every   time.Duration    // between sweeps; 0: 6 h
	Now     func() time.Time // nil: the server's clock, so that a worker whose own is ahead purges nothing early
	Log     *slog.Logger     // nil: silent
}

// Swept is what a sweep has purged.
type Swept struct {
	Rollouts int // counted where their end was purged; another worker may have purged them at the same time
	Slots    int
}

// Run sweeps now and then until ctx ends. What fails is tried again with the next sweep.
func (r Retention) Run(ctx context.Context) error {
	log := orDiscard(r.Log)
	if r.Every == 0 {
		r.Every = sweepEvery
	}
	for {
		swept, err := r.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			log.Warn("journal not purged", "error", err)
		case swept.Slots > 0:
			log.Info("journal purged", "rollouts", swept.Rollouts, "slots", swept.Slots, "keep", r.Keep)
		}
		if err := pause(ctx, r.Every); err != nil {
			return err
		}
	}
}

// Sweep purges what may go. It reads no entry that is younger than Keep, but for one a slot.
func (r Retention) Sweep(ctx context.Context) (Swept, error) {
	if r.Keep < MinRetention {
		return Swept{}, fmt.Errorf("purge journal: %v is too short, keep at least %v", r.Keep, MinRetention)
	}
	s := sweep{Retention: r, summaries: Summaries{JS: r.JS, Names: r.Names}, slots: map[string]*aging{}}
	if err := s.begin(ctx); err != nil {
		return s.swept, fmt.Errorf("purge journal: %w", err)
	}
	if s.floor == 0 {
		return s.swept, nil
	}
	if err := s.read(ctx); err != nil {
		return s.swept, fmt.Errorf("purge journal: %w", err)
	}
	for subject, a := range s.slots {
		if err := s.purge(ctx, subject, a); err != nil {
			return s.swept, fmt.Errorf("purge %s: %w", subject, err)
		}
	}
	return s.swept, nil
}

// sweep is one sweep under way.
type sweep struct {
	Retention
	summaries Summaries
	stream    jetstream.Stream
	cutoff    time.Time // entries stored after it are young
	floor     uint64    // every durable reader is done with entries up to it; 0: nothing can be purged
	slots     map[string]*aging
	swept     Swept
}

// begin finds out what is old and what is done with.
func (s *sweep) begin(ctx context.Context) error {
	var err error
	if s.stream, err = s.JS.Stream(ctx, s.Names.Stream(JournalStream)); err != nil {
		return err
	}
	info := s.stream.CachedInfo()
	now := info.TimeStamp
	if s.Now != nil {
		now = s.Now()
	}
	s.cutoff = now.Add(-s.Keep)
	if info.State.Msgs == 0 || info.State.FirstTime.After(s.cutoff) {
		return nil
	}
	s.floor = info.State.LastSeq
	consumers := s.stream.ListConsumers(ctx)
	for c := range consumers.Info() {
		if c.Config.Durable != "" && (c.NumPending > 0 || c.NumAckPending > 0) {
			s.floor = min(s.floor, c.AckFloor.Stream)
		}
	}
	if err := consumers.Err(); err != nil {
		return fmt.Errorf("list its consumers: %w", err)
	}
	return nil
}

// read goes through the old entries, up to the floor.
func (s *sweep) read(ctx context.Context) error {
	r := s.Journal.reader(s.Names.Subject("journal.>"), jetstream.DeliverAllPolicy)
	first, err := r.open(ctx)
	if err != nil {
		return err
	}
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			if meta.Timestamp.After(s.cutoff) || meta.Sequence.Stream > s.floor {
				return errEnough
			}
			a := s.slots[msg.Subject()]
			if a == nil {
				a = &aging{}
				s.slots[msg.Subject()] = a
			}
			e, err := decodeEntry(msg.Subject(), meta.Sequence.Stream, msg.Data())
			if unreadable(err) {
				return nil // it is no entry, and goes with those around it
			}
			if err != nil {
				a.stuck = true // who does not know the format does not know what stands before it
			}
			return s.next(ctx, a, e)
		},
		caughtUp: func() error { return errEnough },
	})
	if !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

// next takes in a slot's next old entry. Where it begins another rollout, the one before it may go if it is over.
func (s *sweep) next(ctx context.Context, a *aging, e deployments.Entry) error {
	if !a.stuck && a.last != 0 && !a.same(e) {
		if err := s.pass(ctx, a, e.Sequence); err != nil {
			return err
		}
	}
	a.take(e)
	return nil
}

// pass marks what stands before a sequence as gone, once its summary is stored.
func (s *sweep) pass(ctx context.Context, a *aging, before uint64) error {
	if a.stuck = !a.over(); a.stuck {
		return nil
	}
	if a.summary.Rollout != "" {
		if err := s.summaries.Put(ctx, a.summary); err != nil {
			return err
		}
		s.swept.Rollouts++
	}
	a.cut, a.summary = before, deployments.Summary{}
	return nil
}

// purge removes what may go of a slot. What is kept begins with an entry that is there: the last one stays.
func (s *sweep) purge(ctx context.Context, subject string, a *aging) error {
	if !a.stuck && a.over() {
		e, err := s.after(ctx, subject, a.last)
		if err != nil {
			return err
		}
		if e.Rev != 0 && e.Sequence <= s.floor && !a.same(e) {
			if err := s.pass(ctx, a, e.Sequence); err != nil {
				return err
			}
		}
	}
	if a.cut == 0 {
		return nil
	}
	s.swept.Slots++
	return s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(a.cut))
}

// after is a slot's first young entry that can be read; the zero Entry when there is none.
func (s *sweep) after(ctx context.Context, subject string, last uint64) (deployments.Entry, error) {
	for {
		msg, err := s.stream.GetMsg(ctx, last+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return deployments.Entry{}, nil
		}
		if err != nil {
			return deployments.Entry{}, err
		}
		e, err := decodeEntry(msg.Subject, msg.Sequence, msg.Data)
		if !unreadable(err) {
			return e, nil //nolint:nilerr // an entry of a later format has no revision and ends nothing: what is before it stays
		}
		last = msg.Sequence
	}
}

// aging is a slot as far as its old entries were read. It keeps no entries: there may be many slots.
type aging struct {
	last    uint64 // sequence of the newest that was read
	rollout string // that it is of; "": the slot had none yet
	summary deployments.Summary
	cut     uint64 // everything before it goes; 0: nothing does
	stuck   bool   // nothing more goes
}

func (a *aging) take(e deployments.Entry) {
	a.last, a.rollout, a.summary = e.Sequence, rolloutOf(e), a.summary.And(e)
}

func (a *aging) same(e deployments.Entry) bool { return a.rollout == rolloutOf(e) }

// over reports whether the rollout read last has ended; without one there is nothing to end.
func (a *aging) over() bool { return a.rollout == "" || !a.summary.Ended.IsZero() }

func rolloutOf(e deployments.Entry) string {
	if e.State.Rollout == nil {
		return ""
	}
	return e.State.Rollout.ID
}
