package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
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
	m.Header.Del(nats.MsgIdHdr)
	if r.Key != "" || r.Named {
		m.Header.Set(nats.MsgIdHdr, jetstream.MessageID(rel, "")) // sent again, it is the same release
		jetstream.KeepID(m, rel)
	}
	if !d.nc.IsConnected() {
		return web.Stored{}, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, hookStore)
	defer cancel()
	if _, err := d.worker.Policies.Offered(ctx, r.Slot); errors.Is(err, deployments.ErrNoPolicy) {
		return web.Stored{}, deployments.Refuse("no_policy", fmt.Errorf("%s has no policy here: is the name right?", r.Slot))
	}
	ack, err := d.store(ctx, m)
	if err != nil || !ack.Duplicate {
		return web.Stored{ID: rel.ID}, err
	}
	return d.sentBefore(ctx, m, rel)
}

func (d *daemon) store(ctx context.Context, m *nats.Msg) (*natsjs.PubAck, error) {
	ack, err := d.js.PublishMsg(ctx, m, natsjs.WithExpectStream(d.names.Stream(jetstream.ReleasesStream)))
	if err != nil {
		return nil, fmt.Errorf("publish release on %s: %w", m.Subject, err)
	}
	return ack, nil
}

// sentBefore is what became of a release whose id was stored within the hour. One that was refused is stored once more:
// its cause may be cured. An id that is another version's is a mistake of the client.
func (d *daemon) sentBefore(ctx context.Context, m *nats.Msg, rel deployments.Release) (web.Stored, error) {
	out := web.Stored{ID: rel.ID, Duplicate: true}
	last, err := d.journal.Last(ctx, rel.Slot)
	if err != nil {
		return out, nil // it is stored, and that is all there is to say
	}
	if last.Refused(rel.ID) {
		m.Header.Set(nats.MsgIdHdr, jetstream.MessageID(rel, strconv.FormatUint(last.Rev, 10)))
		ack, err := d.store(ctx, m)
		out.Duplicate = err == nil && ack.Duplicate
		return out, err
	}
	taken := make([]deployments.Release, 0, 1+len(last.State.Queue))
	for _, q := range last.State.Queue {
		taken = append(taken, q.Release)
	}
	if last.State.Release != nil {
		taken = append(taken, *last.State.Release)
	}
	i := slices.IndexFunc(taken, func(t deployments.Release) bool { return t.ID == rel.ID })
	switch {
	case i < 0:
	case taken[i].Version != rel.Version:
		return out, deployments.Refuse("key_used", fmt.Errorf("%q is the id of version %s of %s: send another version with another one", rel.ID, taken[i].Version, rel.Slot))
	case i == len(last.State.Queue):
		out.Rollout = last.State.Rollout.ID
	}
	return out, nil
}
