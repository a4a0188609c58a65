package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
)

// slackFlagReceiver is the name of the receiver that --slack-webhook-file makes.
const slackFlagReceiver = "slack"

// readReceivers takes the receivers of the configuration file, if all can be told.
func (cfg *daemonConfig) readReceivers() (err error) {
	if cfg.Receivers, err = cfg.Env.settings.receivers(); err == nil {
		_, err = cfg.receivers()
	}
	return err
}

// receivers are whom the daemon tells of events: those of the configuration file, and Slack where the flag names it. Each
// is opened once, so that a mistake in a template is found before anything is started.
func (cfg daemonConfig) receivers() ([]notify.Receiver, error) {
	var all []notify.Receiver
	if cfg.Slack != "" {
		all = append(all, notify.Receiver{Name: slackFlagReceiver, Kind: notify.SlackWebhook, URL: cfg.Slack, Repeat: notify.DefaultRepeat})
	}
	for _, r := range cfg.Receivers {
		if cfg.Slack != "" && r.Name == slackFlagReceiver {
			return nil, fmt.Errorf("the receiver %s is made by --slack-webhook-file already: give the one of the configuration file another name", r.Name)
		}
		for _, path := range []*string{&r.TokenFile, &r.WebhookFile, &r.SecretFile, &r.TemplateFile} {
			if *path != "" {
				*path = cfg.Env.Path(*path)
			}
		}
		if _, err := notify.Open(r, notify.Options{Memory: &notify.Brief{}}); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// notifiers tell receivers, each through a durable consumer of its own: one that is slow or away holds up no other, and
// no rollout.
func (d *daemon) notifiers(ctx context.Context) (map[string]func(context.Context) error, error) {
	receivers, err := d.cfg.receivers()
	if err != nil || len(receivers) == 0 {
		return nil, err
	}
	memory, err := jetstream.OpenNotebook(ctx, d.js, d.names)
	if err != nil {
		return nil, err
	}
	metrics := notify.NewMetrics(d.registry)
	state := func(ctx context.Context, s deployments.Slot) (deployments.State, error) {
		e, err := d.journal.Last(ctx, s)
		return e.State, err
	}
	all := map[string]func(context.Context) error{}
	for _, r := range receivers {
		teller, err := notify.Open(r, notify.Options{Memory: memory, State: state, Metrics: metrics, Now: d.cfg.Env.Now, Log: d.cfg.Log})
		if err != nil {
			return nil, err
		}
		events := jetstream.Events{JS: d.js, Names: d.names, Log: d.cfg.Log, Undelivered: metrics.Undelivered}
		all["tell "+r.Name] = d.insist("tell", r.Name, func(ctx context.Context) error { return events.Tell(ctx, r.Name, teller.Deliver) })
		all["remind "+r.Name] = d.insist("remind", r.Name, teller.Run)
	}
	return all, nil
}

// insist runs a part until ctx ends, and again when it fails: that somebody cannot be told stops no rollout.
func (d *daemon) insist(part, receiver string, run func(context.Context) error) func(context.Context) error {
	const again = 10 * time.Second
	return func(ctx context.Context) error {
		for {
			err := run(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.cfg.Log.ErrorContext(ctx, "receiver not told", slog.String("receiver", receiver), slog.String("part", part), slog.Any("error", err))
			timer := time.NewTimer(again)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			}
		}
	}
}
