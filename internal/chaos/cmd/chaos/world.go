//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	serinjs "github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/chaos"
)

// partitions are fewer than by default: each costs a consumer, of servers that share two processors.
const partitions = 64

// world is everything that runs in a phase.
type world struct {
	phase
	shop      workshop
	dir, logs string
	script    chaos.Script
	faults    *chaos.Lines
	servers   []*server
	helpers   []*process
	proxy     *process
	addresses map[string]string // of the helpers
	nc        *nats.Conn
	js        jetstream.JetStream

	mu      sync.Mutex
	workers []*worker
}

// worker is one of three, in one of its lives.
type worker struct {
	name     string
	life     int
	policies string
	via      string // NATS, or the proxy
	*process
}

func (w *worker) incarnation() string { return fmt.Sprintf("%s.%d", w.name, w.life) }

// open starts servers, helpers and workers, and makes the flags.
func (w *world) open(ctx context.Context) (err error) {
	if w.servers, err = configure(w.dir, w.phase.servers); err != nil {
		return err
	}
	for _, s := range w.servers {
		if err := w.serve(s); err != nil {
			return err
		}
	}
	if err := ready(ctx, w.url()); err != nil {
		return err
	}
	if w.nc, err = connect(w.url()); err != nil {
		return err
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{w.setup, w.makeFlags, w.help, w.employ, w.offered} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything.
func (w *world) close() {
	for _, x := range w.workers {
		if x.process != nil {
			x.signal(contSignal)
			x.stop(3 * time.Second)
		}
	}
	if w.nc != nil {
		w.nc.Close()
	}
	for _, h := range w.helpers {
		h.stdin.Close()
		h.stop(time.Second)
	}
	for _, s := range w.servers {
		if s.process != nil {
			s.kill()
		}
	}
	if w.faults != nil {
		w.faults.Close()
	}
}

func (w *world) serve(s *server) (err error) {
	s.process, err = start(w.logs, s.name, w.shop.program("nats-server"), "-c", s.config)
	return err
}

// url names all servers.
func (w *world) url() string { return "nats://" + strings.Join(w.hosts(), ",nats://") }

func (w *world) hosts() []string {
	var hosts []string
	for _, s := range w.servers {
		hosts = append(hosts, s.address)
	}
	return hosts
}

// setup runs `serin setup` until it succeeds: a young cluster has no leader yet. Flags keep all their revisions for the audit.
func (w *world) setup(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		out, err := exec.CommandContext(ctx, w.shop.program(w.build), "setup", "--nats", w.url(),
			"--partitions", strconv.Itoa(partitions), "--replicas", strconv.Itoa(len(w.servers))).CombinedOutput()
		if err == nil {
			break
		}
		if attempt == 10 || !pause(ctx, time.Second) {
			return fmt.Errorf("serin setup: %w\n%s", err, out)
		}
	}
	s, err := w.js.Stream(ctx, chaos.FlagsStream)
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	config.MaxMsgsPerSubject = 10_000
	_, err = w.js.UpdateStream(ctx, config)
	return err
}

// makeFlags lets every flag serve the first version.
func (w *world) makeFlags(ctx context.Context) error {
	kv, err := w.js.KeyValue(ctx, strings.TrimPrefix(chaos.FlagsStream, "KV_"))
	if err != nil {
		return err
	}
	text := fmt.Appendf(nil, `{"state":"ENABLED","variants":{%q:%q},"defaultVariant":%q,"targeting":{}}`, chaos.First, chaos.First, chaos.First)
	for _, s := range w.script.Slots {
		if s.Exec {
			continue
		}
		if _, err := kv.Put(ctx, flags.StoreKey(chaos.Environment, s.Service), text); err != nil {
			return fmt.Errorf("make flag %s: %w", s.Service, err)
		}
	}
	return nil
}

// help starts the helpers.
func (w *world) help(context.Context) error {
	w.addresses = map[string]string{}
	for role, file := range map[string]string{"prometheus": chaos.EvaluationsFile, "flagstore": chaos.StoreFile,
		"subscriber": chaos.SubscriberFile, "webhook": chaos.WebhookFile, "proxy": "proxy.log"} {
		p, address, err := helper(w.logs, role, w.shop.program("world"), "-role", role, "-log", filepath.Join(w.dir, file),
			"-nats", w.url(), "-to", strings.Join(w.hosts(), ","))
		if err != nil {
			return err
		}
		w.helpers, w.addresses[role] = append(w.helpers, p), address
		if role == "proxy" {
			w.proxy = p
		}
	}
	return nil
}

// employ starts the workers. The second reaches NATS through the proxy; the third has an empty policy directory.
func (w *world) employ(context.Context) error {
	full, empty := filepath.Join(w.dir, "policies"), filepath.Join(w.dir, "no-policies")
	err := errors.Join(chaos.WritePolicies(full, w.script, w.shop.program("weight"), w.addresses["flagstore"]), os.MkdirAll(empty, 0o755),
		os.WriteFile(filepath.Join(w.dir, "webhook"), []byte("http://"+w.addresses["webhook"]+"/hook\n"), 0o600))
	if err != nil {
		return err
	}
	w.workers = []*worker{
		{name: "w1", policies: full, via: w.url()},
		{name: "w2", policies: full, via: "nats://" + w.addresses["proxy"]},
		{name: "w3", policies: empty, via: w.url()},
	}
	for _, x := range w.workers {
		if err := w.hire(x); err != nil {
			return err
		}
	}
	return nil
}

// offered waits until every slot has a policy: a release before that would be refused.
func (w *world) offered(ctx context.Context) error {
	policies, err := serinjs.OpenPolicies(ctx, w.js, serinjs.Names{})
	if err != nil {
		return err
	}
	for _, s := range w.script.Slots {
		for attempt := 0; ; attempt++ {
			if _, err = policies.Offered(ctx, slotOf(s)); err == nil {
				break
			}
			if attempt == 600 || !pause(ctx, 50*time.Millisecond) {
				return fmt.Errorf("no worker offers a policy of %s: %w; see %s", s.Service, err, w.logs)
			}
		}
	}
	return nil
}

// hire begins a worker's next life.
func (w *world) hire(x *worker) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x.life++
	x.process, err = start(w.logs, x.incarnation(), w.shop.program(w.build), "serve", "--nats", x.via, "--policies", x.policies,
		"--prometheus", "http://"+w.addresses["prometheus"]+"/"+x.incarnation(), "--http", "127.0.0.1:0",
		"--slack-webhook-file", filepath.Join(w.dir, "webhook"), "-v")
	return err
}
