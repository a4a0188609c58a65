package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/web"
)

// intakeFlags are what `serin serve` is told about releases over HTTP.
type intakeFlags struct{ address, tokenFile string }

func (f *intakeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "intake", "", "address to take releases in at over HTTP, for example 127.0.0.1:4282 (default: none)")
	cmd.Flags().StringVar(&f.tokenFile, "intake-token-file", "", "file with the tokens, one a line, of which a client of --intake must send one")
}

// check refuses what anybody could publish to.
func (f *intakeFlags) check(env Env) error {
	if f.address == "" {
		return nil
	}
	if err := guarded("intake", f.address, "127.0.0.1:4282", f.tokenFile); err != nil || f.tokenFile == "" {
		return err
	}
	_, err := f.tokens(env).read()
	return err
}

func (f *intakeFlags) tokens(env Env) tokenFile {
	if f.tokenFile == "" {
		return tokenFile{}
	}
	return tokenFile{path: env.Path(f.tokenFile), of: "intake"}
}

const (
	// hookStore bounds how long NATS may take to store a release.
	hookStore = 5 * time.Second
	// hookHeader and hookRequest bound how long a client may take to send one.
	hookHeader, hookRequest = 5 * time.Second, 15 * time.Second
	maxHookHeader           = 16 << 10
)

// serveIntake takes releases in over HTTP until ctx ends.
func (d *daemon) serveIntake(ctx context.Context) error {
	f := d.cfg.Intake
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("%w (use --intake for another address)", err)
	}
	in := web.Intake{Publish: d.publishHook, Tokens: f.tokens(d.cfg.Env).all(), Log: d.cfg.Log}
	server := &http.Server{Handler: in.Handler(), ReadHeaderTimeout: hookHeader, ReadTimeout: hookRequest, WriteTimeout: hookRequest + hookStore,
		IdleTimeout: time.Minute, MaxHeaderBytes: maxHookHeader, ErrorLog: slog.NewLogLogger(d.cfg.Log.Handler(), slog.LevelDebug)}
	d.cfg.Log.InfoContext(ctx, "taking releases in", slog.String("address", l.Addr().String()), slog.Bool("token", f.tokenFile != ""))
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(end) != nil {
		_ = server.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// errAway says that nothing can be stored now.
var errAway = errors.New("NATS is away")

// publishHook stores a release as it came, where one published on NATS goes. What the intake would make a dead letter of is
// refused here.
func (d *daemon) publishHook(ctx context.Context, r web.Request) (web.Stored, error) {
	m := &nats.Msg{Subject: d.names.Release(r.Slot), Header: nats.Header(r.Header), Data: r.Body}
	if r.Key != "" {
		m.Header.Set(nats.MsgIdHdr, r.Key)
	}
	rel, err := jetstream.DecodeRelease(m.Subject, m.Header, m.Data)
	if err != nil {
		return web.Stored{}, err
	}
	if r.Key != "" || r.Named {
		m.Header.Set(nats.MsgIdHdr, rel.ID) // sent again, it is the same release
	}
	if !d.nc.IsConnected() {
		return web.Stored{}, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, hookStore)
	defer cancel()
	if _, err := d.worker.Policies.Offered(ctx, r.Slot); errors.Is(err, deployments.ErrNoPolicy) {
		return web.Stored{}, deployments.Refuse("no_policy", fmt.Errorf("%s has no policy here: is the name right?", r.Slot))
	}
	ack, err := d.js.PublishMsg(ctx, m, natsjs.WithExpectStream(d.names.Stream(jetstream.ReleasesStream)))
	if err != nil {
		return web.Stored{}, fmt.Errorf("publish release of %s: %w", r.Slot, err)
	}
	out := web.Stored{ID: rel.ID, Duplicate: ack.Duplicate}
	if !ack.Duplicate {
		return out, nil
	}
	if last, err := d.journal.Last(ctx, r.Slot); err == nil && last.State.Release != nil && last.State.Release.ID == rel.ID {
		out.Rollout = last.State.Rollout.ID
	}
	return out, nil
}
