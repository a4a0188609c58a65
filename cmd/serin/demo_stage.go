package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/flags/natskv"
	"github.com/serin-cd/serin/internal/lab"
	"github.com/serin-cd/serin/internal/lab/service"
)

const (
	demoStable  = "1.0.0" // what runs before the first release
	demoLoad    = 300     // requests a second
	demoFlag    = "shop-version"
	demoScrapes = 4 // of Prometheus in an interval of the rules
)

// stage is everything that runs in `serin demo`: a service with users and a Prometheus, a daemon as `serin serve` makes
// it, and a receiver of Slack messages.
type stage struct {
	env    Env
	o      demoOptions
	screen *screen

	dir    string
	policy deployments.Policy
	slack  *slackReceiver
	world  *lab.World
	daemon *daemon
	failed chan error // why a part has stopped by itself
	js     natsjs.JetStream
	load   *service.Load
	sight  *sight

	undo []func(context.Context) // what stops the parts, in the order they were started
}

// startStage starts all parts. They run until stop, not until ctx ends: so that they stop in order.
func startStage(ctx context.Context, env Env, o demoOptions, sc *screen) (s *stage, err error) {
	s = &stage{env: env, o: o, screen: sc, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for _, start := range []func(context.Context) error{
		s.makeDir, s.startSlack, s.startWorld, s.startDaemon, s.connect, s.createFlag, s.startUsers, s.startLive,
	} {
		if err := start(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return s, nil
}

func (s *stage) onStop(undo func(context.Context)) { s.undo = append(s.undo, undo) }

// fail notes the first reason why it cannot go on.
func (s *stage) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// stop ends all parts, the last one first, and waits for them.
func (s *stage) stop() {
	for len(s.undo) > 0 {
		last := len(s.undo) - 1
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		s.undo[last](ctx)
		cancel()
		s.undo = s.undo[:last]
	}
}

func (s *stage) makeDir(context.Context) (err error) {
	if s.dir, err = os.MkdirTemp(s.env.Getenv("TMPDIR"), "serin-demo-"); err != nil {
		return fmt.Errorf("make a directory for the data: %w", err)
	}
	if !s.o.keep {
		s.onStop(func(context.Context) { _ = os.RemoveAll(s.dir) })
	}
	return nil
}

func (s *stage) startSlack(ctx context.Context) (err error) {
	if s.slack, err = listenSlack(ctx, s.screen.slack); err != nil {
		return err
	}
	s.onStop(s.slack.close)
	return nil
}

func (s *stage) startWorld(ctx context.Context) (err error) {
	s.world, err = lab.Start(ctx, lab.Config{
		Service: service.Options{Work: 10 * time.Millisecond, Background: 0.00005},
		Scrape:  faster(time.Second, s.o.speed) / demoScrapes,
	})
	if err != nil {
		return err
	}
	s.onStop(func(ctx context.Context) { _ = s.world.Stop(ctx) })
	return s.world.Service.Start(ctx, demoStable, service.Fault{})
}

// startDaemon makes a daemon by the constructor of `serin serve`, and waits until it takes in releases.
func (s *stage) startDaemon(ctx context.Context) error {
	file, err := demoPolicy(s.o.speed)
	if err != nil {
		return err
	}
	s.policy = file.policies[0]
	log, err := os.OpenFile(filepath.Join(s.dir, "serin.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.onStop(func(context.Context) { _ = log.Close() })
	s.daemon, err = newDaemon(ctx, daemonConfig{
		Policies: []policyFile{file}, NATS: natsFlags{data: s.dir}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0",
		Prometheus: &analysis.Source{URL: s.world.PromURL()}, Slack: s.slack.url(), Log: slog.New(slog.NewTextHandler(log, nil)), Env: s.env,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := s.daemon.Run(ctx); err != nil {
			s.fail(fmt.Errorf("the daemon has stopped: %w", err))
		}
	}()
	s.onStop(func(context.Context) {
		cancel()
		<-over
		s.daemon.close()
	})
	return s.awaitReady(ctx)
}

// awaitReady looks until the daemon is ready: nobody is told.
func (s *stage) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if _, ok := s.daemon.ready.is(); ok {
			return nil
		}
		select {
		case err := <-s.failed:
			return err
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("the daemon is not ready after 20 s")
		}
	}
}

// dial connects to the daemon's NATS as another process would.
func (s *stage) dial(ctx context.Context, name string) (*nats.Conn, natsjs.JetStream, error) {
	at, err := jetstream.ReadEndpoint(s.dir)
	if err != nil {
		return nil, nil, err
	}
	nc, err := jetstream.Connect(ctx, at.URL, jetstream.ClientOptions{Name: name, Token: at.Token})
	if err != nil {
		return nil, nil, err
	}
	s.onStop(func(context.Context) { nc.Close() })
	js, err := natsjs.New(nc)
	return nc, js, err
}

// connect is the connection of the pipeline, which publishes releases and follows them.
func (s *stage) connect(ctx context.Context) (err error) {
	_, s.js, err = s.dial(ctx, "pipeline")
	return err
}

func (s *stage) bucket() string { return s.daemon.names.Bucket(jetstream.FlagsBucket) }

// createFlag makes the one flag, which gives everybody the stable version.
func (s *stage) createFlag(ctx context.Context) error {
	kv, err := s.js.KeyValue(ctx, s.bucket())
	if err != nil {
		return fmt.Errorf("open the flags: %w", err)
	}
	f, err := flags.Parse(demoFlag, []byte(`{"state":"ENABLED","variants":{"`+demoStable+`":"`+demoStable+`"},"defaultVariant":"`+demoStable+`"}`))
	if err != nil {
		return err
	}
	_, err = natskv.Store{KV: kv}.Update(ctx, flags.StoreKey(s.policy.Environment, demoFlag), f, 0)
	return err
}

// demoKept says where everything is that goes on after the summary.
type demoKept struct {
	NATS       string   `json:"nats"`
	TokenFile  string   `json:"token_file"` // JSON: url, token
	Prometheus string   `json:"prometheus"`
	Metrics    string   `json:"metrics"` // of the daemon
	Service    []string `json:"service_metrics"`
	Data       string   `json:"data"`
}

func (s *stage) kept() *demoKept {
	return &demoKept{NATS: s.daemon.server.URL(), TokenFile: filepath.Join(s.dir, "endpoint.json"), Prometheus: s.world.PromURL(),
		Metrics: "http://" + s.daemon.listener.Addr().String() + "/metrics", Service: s.world.MetricsURLs(), Data: s.dir}
}
