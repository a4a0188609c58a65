package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

const (
	// offerAgain is how often it is looked whether a policy that another worker's stands against may count now.
	offerAgain = 30 * time.Second
	// offerAfter is how often in a row nobody must have been there with the other one: workers that crash come back.
	offerAfter = 20
)

// offers makes the policies of the daemon's files those of new releases. Where a running worker offers another one, that
// stays, and a person is told once: workers that are restarted one after the other end up with the new files, and one with
// an old directory changes nothing. It is offered again when the others have been gone for ten minutes.
type offers struct {
	store   *jetstream.Policies
	events  jetstream.Dispatch
	log     *slog.Logger
	waiting prom.Gauge
	files   []policyFile
	now     func() time.Time
	told    map[deployments.Slot]bool
	alone   int // how often in a row no other worker was there with what stays
}

func newOffers(js natsjs.JetStream, store *jetstream.Policies, cfg daemonConfig, reg prom.Registerer) *offers {
	events := jetstream.Dispatch{JS: js, Names: cfg.NATS.names(), Structured: cfg.Structured}
	o := &offers{store: store, events: events, log: cfg.Log, files: cfg.Policies, now: cfg.Env.Now, told: map[deployments.Slot]bool{}}
	o.waiting = prom.NewGauge(prom.GaugeOpts{Namespace: "serin", Name: "policies_waiting",
		Help: "Policies of this worker's files that do not count, because another worker offers other ones for their slots."})
	reg.MustRegister(o.waiting)
	return o
}

// open offers all for the first time.
func (o *offers) open(ctx context.Context) error {
	var hashes []string
	for _, f := range o.files {
		for _, p := range f.policies[:min(1, len(f.policies))] { // all of a file have its hash
			hashes = append(hashes, p.Hash)
		}
	}
	if err := o.store.Offers(hashes); err != nil {
		return err
	}
	return o.offer(ctx)
}

// run offers again what waits, until ctx ends.
func (o *offers) run(ctx context.Context) error {
	again := time.NewTicker(offerAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
			if err := o.again(ctx); err != nil && ctx.Err() == nil {
				o.log.WarnContext(ctx, "offer policies", slog.Any("error", err))
			}
		}
	}
}

// again offers what waits once nobody stands against it any more.
func (o *offers) again(ctx context.Context) error {
	for s := range o.told {
		stands, err := o.store.Stands(ctx, s)
		if err != nil || stands {
			o.alone = 0
			return err
		}
	}
	if o.alone++; len(o.told) == 0 || o.alone < offerAfter {
		return nil
	}
	o.alone = 0
	return o.offer(ctx)
}

func (o *offers) offer(ctx context.Context) error {
	for _, f := range o.files {
		for _, p := range f.policies {
			if err := o.store.Put(ctx, p.Hash, f.text); err != nil {
				return err
			}
			err := o.store.Offer(ctx, p.Slot, p.Hash)
			switch {
			case errors.Is(err, deployments.ErrStays):
				o.stays(ctx, f.path, p)
			case err != nil:
				return err
			case o.told[p.Slot]:
				delete(o.told, p.Slot)
				o.log.InfoContext(ctx, "policy counts now", slog.String("slot", p.Slot.String()), slog.String("file", f.path))
			}
		}
	}
	o.waiting.Set(float64(len(o.told)))
	return nil
}

// stays tells once that a policy does not count.
func (o *offers) stays(ctx context.Context, path string, p deployments.Policy) {
	if o.told[p.Slot] {
		return
	}
	o.told[p.Slot] = true
	why := "a worker offers another policy than those that run already; theirs counts until the last of them is restarted"
	o.log.WarnContext(ctx, "policy differs", slog.String("slot", p.Slot.String()), slog.String("file", path), slog.String("why", why))
	err := o.events.Publish(ctx, deployments.Event{
		ID: p.Slot.String() + "/policy.differs/" + p.Hash[:12], Name: "policy.differs", Slot: p.Slot, Time: o.now().UTC(), Severity: deployments.Warning,
		Subject: "event." + p.Slot.Subject() + ".policy.differs",
		Data:    deployments.EventData{Service: p.Service, Environment: p.Environment, Reason: why},
	})
	if err != nil {
		o.log.WarnContext(ctx, "policy differs is not told", slog.Any("error", err))
	}
}
