//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/serin-cd/serin/internal/chaos"
)

const contSignal = syscall.SIGCONT

const (
	firstFault = 8 * time.Second
	// apart is between two faults: what one has done is over before the next begins. Two at once may cost more than two
	// intervals, and nothing else is promised.
	apart    = 11 * time.Second
	recovery = 6 * time.Second // from the end of a fault to the next

	frozen = 7 * time.Second // longer than a lease
	away   = 6 * time.Second // of a worker that was killed
)

// harm does one fault after the other until ctx ends. Each class comes once before one comes again.
func (w *world) harm(ctx context.Context) error {
	random := rand.New(rand.NewPCG(w.seed, 7))
	if !pause(ctx, firstFault) {
		return nil
	}
	for round := 0; len(w.plan) > 0; round++ {
		for _, i := range random.Perm(len(w.plan)) {
			begin := time.Now()
			f, err := w.do(ctx, w.plan[i], random, round)
			if err != nil {
				return fmt.Errorf("%s: %w", w.plan[i], err)
			}
			fmt.Fprintf(os.Stderr, "chaos: %s: %s %s for %.1f s\n", w.name, f.Kind, f.Target, f.To.Sub(f.From).Seconds())
			if err := w.faults.Write(f); err != nil {
				return err
			}
			if !pause(ctx, max(apart-time.Since(begin), recovery)) {
				return nil
			}
		}
	}
	return nil
}

// do does one fault and waits until the process is itself again, also when ctx ends.
func (w *world) do(ctx context.Context, kind chaos.FaultKind, random *rand.Rand, round int) (chaos.Fault, error) {
	x := w.workers[random.IntN(len(w.workers))]
	if kind == chaos.CutWorker {
		x = w.workers[1]
	}
	f := chaos.Fault{Kind: kind, Target: x.incarnation(), From: time.Now()}
	var err error
	switch kind {
	case chaos.KillWorker:
		x.kill()
		pause(ctx, away)
		err = w.hire(x)
	case chaos.StopWorker:
		victims := []*worker{x}
		if w.freezeTwo {
			victims = w.workers[:2]
		}
		for _, v := range victims {
			v.signal(syscall.SIGSTOP)
		}
		pause(ctx, frozen)
		for _, v := range victims {
			v.signal(contSignal)
		}
	case chaos.CutWorker:
		_, err = fmt.Fprintln(w.proxy.stdin, "cut")
		pause(ctx, frozen)
		if err == nil {
			_, err = fmt.Fprintln(w.proxy.stdin, "mend")
		}
	case chaos.KillServer, chaos.Outage:
		err = w.restart(ctx, &f, random, round)
	}
	f.To = time.Now()
	return f, err
}

// restart kills one server of a cluster, or all there are, and brings them back: in an outage at once, or after longer
// than a lease.
func (w *world) restart(ctx context.Context, f *chaos.Fault, random *rand.Rand, round int) error {
	one := random.IntN(len(w.servers))
	victims, down := w.servers[one:one+1], 3*time.Second
	if f.Kind == chaos.Outage {
		victims, down = w.servers, time.Second
		if round%2 == 1 {
			down = frozen
		}
	}
	f.Target = ""
	for _, s := range victims {
		s.kill()
		f.Target += s.name
	}
	pause(ctx, down)
	for _, s := range victims {
		if err := w.serve(s); err != nil {
			return err
		}
	}
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if f.Kind == chaos.KillServer {
		return ready(again, "nats://"+victims[0].address)
	}
	return w.back(again)
}

// back waits until NATS can take writes again: of a cluster, journal and leases must have found their leaders.
func (w *world) back(ctx context.Context) error {
	if err := ready(ctx, w.url()); err != nil {
		return err
	}
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, journal := w.js.Stream(once, chaos.JournalStream)
		_, leases := w.js.Consumer(once, "SERIN_LEASE", "w")
		cancel()
		err := errors.Join(journal, leases)
		if err == nil {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("NATS is not back: %w", err)
		}
	}
}
