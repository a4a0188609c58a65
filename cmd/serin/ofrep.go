package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags/ofrep"
	"github.com/serin-cd/serin/flags/openfeature"
)

// ofrepFlags are what `serin serve` is told about OFREP.
type ofrepFlags struct {
	address, environment, tokenFile string
	origins                         []string
	rate                            float64
}

func (f *ofrepFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "ofrep", "", "address to serve Serin's own flags at by OFREP, for example 127.0.0.1:4281 (default: none)")
	cmd.Flags().StringVar(&f.environment, "ofrep-env", deployments.DefaultEnvironment, "environment that OFREP serves under /ofrep/v1; others are under /env/ENVIRONMENT/ofrep/v1")
	cmd.Flags().StringVar(&f.tokenFile, "ofrep-token-file", "", "file with the tokens, one a line, of which an OFREP client must send one")
	cmd.Flags().StringSliceVar(&f.origins, "ofrep-cors", nil, "origin of pages that may use OFREP, for example https://shop.example (may be given again)")
	cmd.Flags().Float64Var(&f.rate, "ofrep-rate", 0, "OFREP requests a second and client address; 0 is no limit")
}

// check refuses what would be served to anybody, and what cannot be served.
func (f *ofrepFlags) check(env Env) error {
	if f.address == "" {
		return nil
	}
	if err := guarded("ofrep", f.address, "127.0.0.1:4281", f.tokenFile); err != nil {
		return err
	}
	if f.rate < 0 {
		return errors.New("--ofrep-rate is below 0: leave it out for no limit")
	}
	if _, err := f.handler(env, new(openfeature.Provider)); err != nil {
		return err
	}
	if f.tokenFile == "" {
		return nil
	}
	_, err := f.tokens(env).read()
	return err
}

func (f ofrepFlags) tokens(env Env) tokenFile {
	if f.tokenFile == "" {
		return tokenFile{}
	}
	return tokenFile{path: env.Path(f.tokenFile), of: "OFREP"}
}

func (f ofrepFlags) handler(env Env, all *openfeature.Provider) (*ofrep.Handler, error) {
	return ofrep.NewHandler(ofrep.Options{Flags: all, Environment: f.environment, Tokens: f.tokens(env).all(), Origins: f.origins, Rate: f.rate, Now: env.Now})
}

// serveOFREP serves Serin's own flags, from a watch of its own.
func (d *daemon) serveOFREP(ctx context.Context) error {
	f := d.cfg.OFREP
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("%w (use --ofrep for another address)", err)
	}
	defer l.Close()
	all := &openfeature.Provider{JetStream: d.js, Bucket: d.names.Bucket(jetstream.FlagsBucket)}
	defer all.Shutdown()
	if err := all.InitWithContext(ctx, of.EvaluationContext{}); err != nil {
		return err
	}
	h, err := f.handler(d.cfg.Env, all)
	if err != nil {
		return err
	}
	d.cfg.Log.InfoContext(ctx, "serving OFREP", slog.String("address", l.Addr().String()), slog.String("environment", f.environment), slog.Bool("token", f.tokenFile != ""))
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(d.cfg.Log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	for {
		select {
		case e := <-all.EventChannel():
			h.Changed(e.FlagChanges...)
		case err := <-served:
			return err
		case <-ctx.Done():
			h.Close()
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = server.Shutdown(end)
			return nil
		}
	}
}
