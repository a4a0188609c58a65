//go:build unix

package main

import (
	"context"
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
		x.signal(syscall.SIGSTOP)
		pause(ctx, frozen)
		x.signal(contSignal)
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

// restart kills a server and brings it back: the only one at once, or after longer than a lease.
func (w *world) restart(ctx context.Context, f *chaos.Fault, random *rand.Rand, round int) error {
	s := w.servers[random.IntN(len(w.servers))]
	f.Target = s.name
	s.kill()
	down := time.Second
	if f.Kind == chaos.KillServer {
		down = 3 * time.Second
	} else if round%2 == 1 {
		down = frozen
	}
	pause(ctx, down)
	if err := w.serve(s); err != nil {
		return err
	}
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return ready(again, "nats://"+s.address)
}
