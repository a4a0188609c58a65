package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsjs "github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags/openfeature"
)

// guardedNATS is a server that enforces the roles that serin setup prints.
type guardedNATS struct {
	addr string
	env  Env
	out  *bytes.Buffer
}

func newGuardedNATS(t *testing.T) guardedNATS {
	t.Helper()
	out := new(bytes.Buffer)
	g := guardedNATS{env: Env{Stdout: out, Stderr: out, Getenv: func(string) string { return "" }, Now: time.Now, Dir: t.TempDir()}, out: out}
	if run(t.Context(), []string{"setup", "--permissions", "nats", "--env", "production"}, g.env) != exitOK {
		t.Fatal(out)
	}
	for user := range strings.SplitSeq("setup worker ci-production operator-production viewer-production deployer-production application-production", " ") {
		t.Setenv("SERIN_"+strings.ToUpper(strings.ReplaceAll(user, "-", "_")), user)
	}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(out.String()); err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	g.addr = srv.Addr().String()
	return g
}

func (g guardedNATS) url(user string) string { return "nats://" + user + ":" + user + "@" + g.addr }

// as is the environment of a user.
func (g guardedNATS) as(user string) Env {
	env := g.env
	env.Getenv = func(name string) string { return map[string]string{"SERIN_NATS": g.url(user), "USER": "root"}[name] }
	return env
}

// serin runs a command as a user, and returns what it says.
func (g guardedNATS) serin(t *testing.T, want int, user string, args ...string) string {
	t.Helper()
	g.out.Reset()
	if got := run(t.Context(), args, g.as(user)); got != want {
		t.Fatalf("serin %s as %s: status %d, want %d: %s", strings.Join(args, " "), user, got, want, g.out)
	}
	return g.out.String()
}

// connect is a connection of a user's own program.
func (g guardedNATS) connect(t *testing.T, user string) natsjs.JetStream {
	t.Helper()
	nc, err := jetstream.Connect(t.Context(), g.url(user), jetstream.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// daemon runs serin serve with the rights of a worker.
func (g guardedNATS) daemon(t *testing.T, policies string) *syncBuffer {
	t.Helper()
	ps, findings := deployments.ParsePolicies("policies.yaml", []byte(policies))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	d, err := newDaemon(t.Context(), daemonConfig{
		Policies: []policyFile{{"policies.yaml", []byte(policies), ps}}, NATS: natsFlags{natsAccess: natsAccess{url: g.url("worker")}}, HTTP: "127.0.0.1:0",
		Slack: "http://127.0.0.1:1/services", Retention: jetstream.DefaultRetention, Log: slog.New(slog.NewTextHandler(log, nil)), Env: g.env,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.close()
	})
	return log
}

const guardedPolicies = `
service: checkout
prometheus: http://127.0.0.1:1
ready: none
traffic: {version_flag: checkout-version}
steps: [{weight: 5, bake: 5m}, {weight: 100, bake: 5m}]
rules: [{name: up, query: 'up', min: 1}]
---
service: cart
prometheus: http://127.0.0.1:1
ready: none
traffic: {event: deployer}
first_release: allow
steps: [{weight: 5, bake: 5m}, {weight: 100, bake: 5m}]
rules: [{name: up, query: 'up', min: 1}]
`

func TestSetupSaysWhatItMadeAndWhatItFound(t *testing.T) {
	g := newGuardedNATS(t)
	if got := g.serin(t, exitOK, "setup", "setup"); !strings.Contains(got, "made  stream SERIN_JOURNAL\n") || !strings.Contains(got, "256 partitions") {
		t.Errorf("the first time:\n%s", got)
	}
	if got := g.serin(t, exitOK, "setup", "setup", "--partitions", "256"); !strings.Contains(got, "found bucket serin_flags\n") || strings.Contains(got, "made") {
		t.Errorf("the second time:\n%s", got)
	}
	if got := g.serin(t, exitNo, "setup", "setup", "--partitions", "8"); !strings.Contains(got, "has 256 partitions, 8 were asked for") {
		t.Errorf("another number:\n%s", got)
	}
}

func TestAPipelineReleasesWhileNoWorkerRuns(t *testing.T) {
	g := newGuardedNATS(t)
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	g.serin(t, exitOK, "ci-production", "release", "cart", "2.0.0")
	if got := g.serin(t, exitUnreachable, "ci-production", "abort", "cart"); !strings.Contains(got, "nobody answered") {
		t.Errorf("an order: %s", got)
	}
	g.daemon(t, guardedPolicies)
	await(t, "the release", func() bool { return g.confirmed(t, "viewer-production", "cart") == 0 })
}

func TestARolloutRunsOnLeastPrivilege(t *testing.T) {
	g := newGuardedNATS(t)
	const ci, operator, viewer, deployer = "ci-production", "operator-production", "viewer-production", "deployer-production"
	g.serin(t, exitOK, "setup", "setup", "--partitions", "4")
	log := g.daemon(t, guardedPolicies)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
	})
	app := application(t, g)
	g.serin(t, exitOK, operator, "flags", "set", "checkout-version", "1.0.0")
	if got := g.serin(t, exitOK, "setup", "flags", "log", "checkout-version"); !strings.Contains(got, "now 1.0.0") {
		t.Errorf("what an operator did to a flag is not on record: %s", got)
	}
	await(t, "the application's flag", func() bool {
		v, _ := app.StringValue(t.Context(), "checkout-version", "", of.NewEvaluationContext("u", nil))
		return v == "1.0.0"
	})

	g.serin(t, exitOK, ci, "release", "checkout", "1.1.0", "--id", "r-1")
	await(t, "5 % confirmed", func() bool { return g.confirmed(t, viewer, "checkout") == 5 })
	if got := g.serin(t, exitNo, ci, "approve", "checkout"); !strings.Contains(strings.ToLower(got), "permissions violation") {
		t.Errorf("ci approves: %s", got)
	}
	g.serin(t, exitOK, operator, "pause", "checkout")
	g.serin(t, exitOK, viewer, "status", "checkout")
	g.serin(t, exitOK, ci, "abort", "checkout", "--reason", "try")
	if got := g.serin(t, exitAborted, ci, "release", "checkout", "1.1.0", "--id", "r-1", "--wait"); !strings.Contains(got, "aborted") {
		t.Errorf("ci follows: %s", got)
	}

	if got := g.serin(t, exitOK, viewer, "history", "checkout", "-o", "json"); !strings.Contains(got, `"by": "ci-production (says \"root\")"`) {
		t.Errorf("on record is not who aborted:\n%s", got)
	}
	g.serin(t, exitOK, viewer, "workers")
	g.serin(t, exitOK, viewer, "status", "--env", "production")
	g.serin(t, exitNo, viewer, "status")

	g.serin(t, exitOK, ci, "release", "cart", "2.0.0")
	asked := requested(t, g.connect(t, deployer))
	request := []string{"ack", "cart", "--rollout", asked.Data.Rollout, "--seq", strconv.FormatUint(asked.Data.Seq, 10), "--percent", "5"}
	g.serin(t, exitNo, ci, request...)
	g.serin(t, exitOK, deployer, request...)
	await(t, "the acknowledgement", func() bool { return g.confirmed(t, viewer, "cart") == 5 })
	if s := log.String(); strings.Contains(strings.ToLower(s), "permissions violation") {
		t.Errorf("the worker lacks rights:\n%s", s)
	}
}

// confirmed is the share of a service's rollout.
func (g guardedNATS) confirmed(t *testing.T, user, service string) float64 {
	t.Helper()
	g.out.Reset()
	if run(t.Context(), []string{"status", service, "-o", "json"}, g.as(user)) != exitOK {
		t.Log(g.out.String())
		return -1
	}
	var asked deployments.Asked
	if err := json.Unmarshal(g.out.Bytes(), &asked); err != nil || asked.State.Rollout == nil {
		return -1
	}
	return asked.State.Rollout.Confirmed.Percent()
}

// application reads flags as applications do.
func application(t *testing.T, g guardedNATS) *of.Client {
	t.Helper()
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.WithoutCancel(t.Context())) })
	js, err := natsjs.NewWithAPIPrefix(g.connect(t, "application-production").Conn(), jetstream.Names{}.API())
	if err != nil {
		t.Fatal(err)
	}
	p := &openfeature.Provider{JetStream: js, Environment: "production"}
	if err := api.SetProviderAndWait(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return api.NewClient()
}

// requested is the first request for traffic of cart.
func requested(t *testing.T, js natsjs.JetStream) (asked deployments.Event) {
	t.Helper()
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	slot := deployments.Slot{Environment: "production", Service: "cart"}
	err := jetstream.Events{JS: js}.Follow(ctx, jetstream.Filter{Slot: slot}, 0, func(_ uint64, e deployments.Event) error {
		if e.Name != "traffic.requested" {
			return nil
		}
		asked = e
		return enough
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return asked
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await looks again until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
