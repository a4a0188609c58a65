package deployments

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// Analyst asks for readings and judges them. analysis.Analyst is one.
type Analyst interface {
	Measure(ctx context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement
	Shares(ctx context.Context, rs []analysis.Request, at time.Time) []analysis.MeasuredShare
	Holds(ctx context.Context, conditions []analysis.Query, at time.Time) (why string)
}

// Worker advances rollouts: it loads the state, lets Next decide, appends the entry, and only then acts. All its fields
// but Lag and Capacity must be set before use. Any number of workers may share a journal.
type Worker struct {
	Name     string // unique among the workers
	Journal  Journal
	Leases   Leases
	Policies PolicyStore
	Analyst  Analyst
	Exposers map[steps.MoverKind]Exposer                 // FeatureFlag also turns off the flags of actions
	Reach    func(ctx context.Context, url string) error // asks a URL of `ready: {http: …}`: nil means it answered well
	Metrics  *Metrics
	Now      func() time.Time
	Log      *slog.Logger
	Capacity int           // partitions held at most
	Lag      time.Duration // how long after its instant a query is asked, so that scrapes have landed

	setup    sync.Once
	batches  *batcher
	policies policyCache
	rules    atomic.Int64 // whose readings are kept
	mu       sync.Mutex
	runners  map[Slot]*runner // of the slots this worker holds
}

// Run holds partitions and advances their rollouts until ctx ends; then readings under way are finished, and the leases
// handed back.
func (w *Worker) Run(ctx context.Context) error {
	w.prepare()
	var wg sync.WaitGroup
	defer wg.Wait()
	batching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	wg.Go(func() { w.batches.run(batching) })
	return w.Leases.Hold(ctx, w.Capacity, w.partition)
}

func (w *Worker) prepare() {
	w.setup.Do(func() {
		w.batches = &batcher{analyst: w.Analyst, asks: make(chan question)}
		w.policies = policyCache{store: w.Policies}
		w.runners = map[Slot]*runner{}
	})
}

// Handle is the heart of it: load, decide, append. Any worker may call it for any slot; the one that holds the slot sees
// the entry in its watch, and acts. It returns the slot's newest entry, and whether the input changed it.
func (w *Worker) Handle(ctx context.Context, s Slot, in steps.Input) (Entry, bool, error) {
	w.prepare()
	for {
		last, err := w.Journal.Last(ctx, s)
		if err != nil {
			return Entry{}, false, fmt.Errorf("load %s: %w", s, err)
		}
		next, changed, err := w.advance(ctx, last, in)
		if !errors.Is(err, ErrConflict) {
			return next, changed, err
		}
	}
}

// advance decides on an input and writes the entry, if there is one.
func (w *Worker) advance(ctx context.Context, last Entry, in steps.Input) (Entry, bool, error) {
	next, changed, err := last.Decide(w.now(), in)
	if err != nil || !changed {
		return last, false, err
	}
	next, err = w.append(ctx, next)
	return next, err == nil, err
}

// append signs and writes an entry.
func (w *Worker) append(ctx context.Context, e Entry) (Entry, error) {
	e.By, e.Op = w.Name, newOp()
	seq, err := w.Journal.Append(ctx, e)
	if err != nil {
		return e, err
	}
	e.Sequence = seq
	w.Metrics.transition(e)
	attrs := []any{slog.String("slot", e.Slot.String()), slog.String("rollout", e.Rollout), slog.Uint64("rev", e.Rev), slog.String("note", e.Note)}
	if r := e.State.Rollout; r != nil {
		attrs = append(attrs, slog.String("phase", string(r.Phase)), slog.Uint64("seq", r.Seq))
	}
	w.Log.InfoContext(ctx, "transition", attrs...)
	return e, nil
}

// now is the wall clock without its monotonic part, in UTC: as it will be read back from the journal.
func (w *Worker) now() time.Time { return w.Now().UTC().Round(0) }

// partition runs the rollouts of one partition while its lease lasts.
func (w *Worker) partition(ctx context.Context, partition int) {
	entries, err := w.Journal.Watch(ctx, partition)
	if err != nil {
		w.Log.ErrorContext(ctx, "watch partition", slog.Int("partition", partition), slog.Any("error", err))
		return
	}
	w.Metrics.Partitions.Inc()
	defer w.Metrics.Partitions.Dec()
	held := map[Slot]*runner{}
	ended := make(chan Slot)
	defer func() {
		for s, r := range held {
			w.drop(s, r)
		}
	}()
	for {
		select {
		case s := <-ended:
			w.drop(s, held[s])
			delete(held, s)
		case e, ok := <-entries:
			if !ok {
				return
			}
			if e.V > EntryVersion {
				w.Log.ErrorContext(ctx, "partition handed back: a later version of serin wrote to it", slog.String("slot", e.Slot.String()), slog.Int("v", e.V))
				return
			}
			if r := held[e.Slot]; r != nil && r.see(e) {
				continue
			}
			if e.Rev > 0 && (e.State.Live() || len(e.State.Queue) > 0) {
				w.collect(ended, held, e.Slot)
				held[e.Slot] = w.start(ctx, e, ended)
			}
		}
	}
}

// collect waits for the end of a slot's finished runner, if it has one, before another takes its place.
func (w *Worker) collect(ended <-chan Slot, held map[Slot]*runner, s Slot) {
	for held[s] != nil {
		over := <-ended
		w.drop(over, held[over])
		delete(held, over)
	}
}

// start runs a slot; drop waits for its end.
func (w *Worker) start(ctx context.Context, e Entry, ended chan<- Slot) *runner {
	r := newRunner(w, e, func() {
		select {
		case ended <- e.Slot:
		case <-ctx.Done():
		}
	})
	w.mu.Lock()
	w.runners[e.Slot] = r
	w.mu.Unlock()
	w.Metrics.Rollouts.Inc()
	go r.run(ctx)
	return r
}

func (w *Worker) drop(s Slot, r *runner) {
	<-r.done
	w.mu.Lock()
	if w.runners[s] == r {
		delete(w.runners, s)
	}
	w.mu.Unlock()
	w.Metrics.Rollouts.Dec()
}

// newOp is unique to a write.
func newOp() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
