package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// Run serves until ctx ends, then drains: unready first, readings under way finished, leases handed back, and what was
// decided told.
func (d *daemon) Run(ctx context.Context) error {
	d.ready.start()
	front, stopFront := context.WithCancelCause(ctx)
	back, stopBack := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFront(nil)
	defer stopBack()
	var decides, tells sync.WaitGroup
	for what, run := range d.tellers() {
		tells.Go(func() { act(back, stopFront, what, run) })
	}
	for what, run := range d.deciders() {
		decides.Go(func() { act(front, stopFront, what, run) })
	}
	select {
	case <-front.Done():
	case err := <-d.lost:
		stopFront(err)
	}
	d.ready.drain()
	decides.Wait()
	d.settle(back)
	stopBack()
	tells.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(front)
}

// act runs one part of the daemon. If it fails before its time, everything stops.
func act(ctx context.Context, stop context.CancelCauseFunc, what string, run func(context.Context) error) {
	if err := run(ctx); err != nil && ctx.Err() == nil {
		stop(fmt.Errorf("%s: %w", what, err))
	}
}

// tellers go on until what was decided is told.
func (d *daemon) tellers() map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{
		"serve http": d.serveHTTP,
		"history":    d.keepHistory,
		"audit":      d.audit.run,
		"presence":   d.leases.Announce,
		"dispatch":   func(ctx context.Context) error { return d.dispatch().Run(ctx, deployments.Events) },
	}
	if d.cfg.OFREP.address != "" {
		all["serve ofrep"] = d.serveOFREP
	}
	if d.cfg.Intake.address != "" {
		all["take releases in over http"] = d.serveIntake
	}
	if d.cfg.FlagdSync != "" {
		all["flagd sync"] = d.serveFlagdSync
	}
	maps.Copy(all, d.told)
	return all
}

// deciders stop first.
func (d *daemon) deciders() map[string]func(context.Context) error {
	accept := func(ctx context.Context, rel deployments.Release) error {
		_, err := d.worker.Accept(ctx, rel)
		return err
	}
	all := map[string]func(context.Context) error{
		"worker":   d.worker.Run,
		"policies": d.offers.run,
		"intake": func(ctx context.Context) error {
			return jetstream.Intake{JS: d.js, Names: d.names, Log: d.cfg.Log}.Run(ctx, accept)
		},
		"requests": func(ctx context.Context) error {
			return jetstream.Serve(ctx, d.nc, d.names, handlers(d.worker), d.cfg.Log, d.ready.ready)
		},
	}
	if len(d.cfg.Inputs) > 0 {
		all["inputs"] = d.intakes.Run
	}
	return all
}

// settle gives dispatch a moment to tell the last decisions. What it does not manage is told after the next start.
func (d *daemon) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		untold, err := d.dispatch().Untold(ctx)
		if err != nil || untold == 0 {
			return
		}
		timer := time.NewTimer(10 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

func (d *daemon) dispatch() jetstream.Dispatch {
	return jetstream.Dispatch{JS: d.js, Names: d.names, Journal: d.journal, Log: d.cfg.Log, Structured: d.cfg.Structured}
}
