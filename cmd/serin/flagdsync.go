package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags/flagdsync"
	"github.com/serin-cd/serin/flags/openfeature"
)

// checkFlagdSync refuses what would be served to anybody, unless that is wanted.
func checkFlagdSync(address string, open bool) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--flagd-sync %q is no address: write for example 127.0.0.1:8015", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !open {
		return fmt.Errorf("--flagd-sync %s can be reached from other machines, and has neither tokens nor TLS: serve it at 127.0.0.1, or add --flagd-sync-open", address)
	}
	return nil
}

// serveFlagdSync serves Serin's own flags to flagd and to in-process providers, from a watch of its own.
func (d *daemon) serveFlagdSync(ctx context.Context) (err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", d.cfg.FlagdSync)
	if err != nil {
		return fmt.Errorf("%w (use --flagd-sync for another address)", err)
	}
	defer l.Close()
	all := &openfeature.Provider{JetStream: d.js, Bucket: d.names.Bucket(jetstream.FlagsBucket)}
	defer all.Shutdown()
	if err := all.InitWithContext(ctx, of.EvaluationContext{}); err != nil {
		return err
	}
	server, err := flagdsync.New(all, deployments.DefaultEnvironment, d.cfg.Log)
	if err != nil {
		return err
	}
	d.cfg.Log.InfoContext(ctx, "serving flagd sync", slog.String("address", l.Addr().String()), slog.String("environment", deployments.DefaultEnvironment))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	for {
		select {
		case <-all.EventChannel():
			server.Changed()
		case err := <-served:
			return err
		}
	}
}
