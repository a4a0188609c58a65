package main

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/term"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

const (
	// heartbeat is how often a line is printed while nothing happens, so that CI does not take the job for dead.
	heartbeat = time.Minute
	// abortAgain is how often an abort is ordered that nobody has obeyed yet.
	abortAgain = 2 * time.Second
)

// waiter follows one release, or its rollout, to the end.
type waiter struct {
	env     Env
	flags   waitFlags
	rel     deployments.Release
	accept  time.Duration // how long somebody may take to take the release in; 0: it is a rollout already
	begin   time.Time
	command func(ctx context.Context, s deployments.Slot, verb string, body any) (jetstream.Reply, error)
	last    func() (deployments.Entry, error) // of the slot; to find what the release is a duplicate of

	known      uint64                 // the slot's revision when a wait for a version began: greater ones are news; 0: all are
	before     func() (*result, bool) // what became of the version before the wait began, if that is known
	turnedDown *result                // a release of the version before the wait began

	rollout     string // once it is accepted
	seen        uint64 // the rollout's revision that is known already
	caughtUp    bool   // what was stored when the wait began has been heard
	phase       steps.Phase
	paused      bool
	unconfirmed bool
	turned      string                // why the rollout turned back, once it has
	back        deployments.EventData // the way back, as the last event told of it
	now         string                // the last thing that was heard, in words

	story  story
	github github
	recall func() // takes in what was told before the wait began
	over   bool   // its end has been told

	cancelled bool // and an abort is to be ordered
	ordered   bool // the abort was obeyed
	refusal   string
}

// news is what a waiter hears.
type news struct {
	heard   <-chan deployments.Event
	letters <-chan *nats.Msg // the release's dead letter
	failed  <-chan error     // why there will be no more news
}

// deadLetters hears of the release's dead letter, if there will be one.
func (r *remote) deadLetters(s deployments.Slot, id string) (<-chan *nats.Msg, error) {
	out := make(chan *nats.Msg, 1)
	_, err := r.nc.Subscribe(r.names.Subject("refused", s.Subject()), func(m *nats.Msg) {
		if got, err := url.PathUnescape(m.Header.Get(jetstream.HeaderID)); err == nil && got == id {
			select {
			case out <- m:
			default:
			}
		}
	})
	if err == nil {
		err = r.nc.Flush()
	}
	return out, err
}

// wait follows the slot's events until the rollout has ended.
func (w *waiter) wait(ctx context.Context, events jetstream.Events, from uint64, letters <-chan *nats.Msg) error {
	following, stop := context.WithCancel(context.WithoutCancel(ctx)) // an abort that a cancel orders is followed too
	heard, failed := make(chan deployments.Event), make(chan error, 1)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() {
		failed <- events.Follow(following, jetstream.Filter{Slot: w.rel.Slot}, from, func(_ uint64, e deployments.Event) error {
			select {
			case heard <- e:
				return nil
			case <-following.Done():
				return following.Err()
			}
		})
	})
	return w.listen(ctx, news{heard, letters, failed})
}

// listen takes news until they say how it ended. Transient states never end it.
func (w *waiter) listen(ctx context.Context, n news) error {
	beat, again := time.NewTicker(heartbeat), time.NewTicker(abortAgain)
	defer beat.Stop()
	defer again.Stop()
	accept, timeout, cancelled := limit(w.accept), limit(w.flags.timeout), ctx.Done()
	for {
		var end *result
		select {
		case e := <-n.heard:
			end = w.hear(e)
		case m := <-n.letters:
			end = refused(m)
		case <-accept:
			end = w.notAccepted()
		case <-timeout:
			end = w.timedOut()
		case <-cancelled:
			cancelled = nil
			end = w.cancel()
		case <-beat.C:
			w.beat()
		case <-again.C:
		case err := <-n.failed:
			end = lost(err)
		}
		if end == nil {
			end = w.abort(ctx)
		}
		if end != nil {
			return w.finish(*end)
		}
	}
}

// refused is the result of a release that became a dead letter.
func refused(m *nats.Msg) *result {
	why, _ := url.PathUnescape(m.Header.Get(jetstream.HeaderReason))
	return &result{Outcome: "refused", Reason: why, Exit: exitNotAccepted}
}

// limit is a timer that never fires where there is no limit.
func limit(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}

// lost is the result where no more can be heard.
func lost(err error) *result {
	r := &result{Outcome: "nothing more is heard", Reason: err.Error(), Exit: exitNo}
	if errors.Is(err, nats.ErrConnectionClosed) {
		r.Exit = exitUnreachable
	}
	return r
}

// cancel is what Ctrl-C and SIGTERM do: they leave the rollout alone, unless an abort is wanted.
func (w *waiter) cancel() *result {
	if w.flags.abortOnCancel {
		w.cancelled = true
		w.say("cancelled: ordering an abort, and waiting for its end")
		return w.held()
	}
	r := w.timedOut()
	if r.Exit == exitTimeout {
		r.Outcome = "detached"
	}
	return r
}

// abort orders the abort that a cancel asks for, as soon as there is a rollout and until somebody obeys. One that is on
// its way back needs none.
func (w *waiter) abort(ctx context.Context) *result {
	if !w.cancelled || w.ordered || w.rollout == "" || w.phase == steps.Reverting || w.phase == steps.Recovering {
		return nil
	}
	order := steps.Command{Verb: steps.Abort, Rollout: w.rollout, By: w.env.Getenv("USER"), Reason: "who waited for it was cancelled"}
	reply, err := w.command(context.WithoutCancel(ctx), w.rel.Slot, string(order.Verb), order)
	if errors.Is(err, nats.ErrPermissionViolation) {
		return &result{Outcome: "not aborted", Reason: err.Error() + "; " + w.again(), Exit: exitTimeout}
	}
	w.ordered = err == nil && reply.OK
	if err == nil && !reply.OK && reply.Error != w.refusal {
		w.refusal = reply.Error
		w.say("abort refused: " + reply.Error)
	}
	return nil
}

func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
