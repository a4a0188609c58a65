package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	natsgo "github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/annotations"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/flags/natskv"
	"github.com/serin-cd/serin/flags/openfeature"
	"github.com/serin-cd/serin/steps"
	"github.com/serin-cd/serin/steps/traffic"
)

// daemonConfig is what `serin serve` and `serin demo` tell a daemon.
type daemonConfig struct {
	Policies   []policyFile
	NATS       natsFlags         // without a URL a server is embedded
	Listen     string            // of the embedded server
	HTTP       string            // of /metrics, /healthz and /readyz
	FlagdSync  string            // of the gRPC service that flagd reads flags from; "": none
	Prometheus *analysis.Source  // of policies that name none
	OFREP      ofrepFlags        // without an address it is not served
	Intake     intakeFlags       // over HTTP; without an address there is none
	Slack      string            // webhook URL; "": nobody is told
	Inputs     []jetstream.Input // subjects that releases come in on besides
	Structured bool              // events are CloudEvents in structured mode
	Receivers  []notify.Receiver // who is told of events, beside it
	Retention  time.Duration     // how long finished rollouts are kept; 0: for ever
	Log        *slog.Logger
	Env        Env
}

// daemon is everything that runs in `serin serve`.
type daemon struct {
	cfg       daemonConfig
	server    *jetstream.Server // nil: external
	nc        *natsgo.Conn
	js        natsjs.JetStream
	names     jetstream.Names
	offers    *offers
	journal   *jetstream.Journal
	querier   *prometheus.Client
	confirmer *openfeature.Confirmer
	audit     *auditor
	told      map[string]func(context.Context) error // tells receivers
	worker    *deployments.Worker
	leases    *jetstream.FairLeases
	intakes   jetstream.Inputs
	registry  *prom.Registry
	listener  net.Listener
	ready     readiness
	lost      chan error // the connection to NATS is closed for good
}

// newDaemon connects or embeds NATS, sets up what is missing there, and wires the worker. Nothing is advanced before Run.
func newDaemon(ctx context.Context, cfg daemonConfig) (*daemon, error) {
	d := &daemon{cfg: cfg, names: cfg.NATS.names(), registry: prom.NewRegistry(), lost: make(chan error, 1)}
	err := d.open(ctx)
	if err == nil {
		d.intakes, err = d.inputs(ctx)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *daemon) open(ctx context.Context) (err error) {
	cfg := d.cfg
	if err = d.connect(ctx); err != nil {
		return err
	}
	if d.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.HTTP); err != nil {
		return fmt.Errorf("listen for metrics: %w (use --http for another address)", err)
	}
	if err = d.setup(ctx); err != nil {
		return err
	}
	policies, err := jetstream.OpenPolicies(ctx, d.js, d.names)
	if err != nil {
		return err
	}
	d.offers = newOffers(d.js, policies, cfg, d.registry)
	if err = d.offers.open(ctx); err != nil {
		return err
	}
	if d.journal, err = jetstream.OpenJournal(ctx, d.js, d.names, cfg.Log); err != nil {
		return err
	}
	if d.told, err = d.notifiers(ctx); err != nil {
		return err
	}
	d.audit = newAuditor(jetstream.Audit{JS: d.js, Names: d.names}, cfg.Log)
	exposers, err := d.exposers(ctx)
	if err != nil {
		return err
	}
	d.querier, d.leases = &prometheus.Client{Default: cfg.Prometheus}, d.fairLeases()
	d.worker = &deployments.Worker{
		Name: d.leases.Name, Journal: d.journal, Leases: d.leases, Policies: policies,
		Analyst: analysis.Analyst{Querier: d.querier, Annotate: annotations.Fill}, Exposers: exposers, Reach: traffic.Reach, Metrics: deployments.NewMetrics(d.registry),
		Now: cfg.Env.Now, Log: cfg.Log, Capacity: d.journal.Partitions(), Lag: queryLag,
	}
	return nil
}

// queryLag is how long after its instant a query is asked: scrapes of that instant have landed by then.
const queryLag = 100 * time.Millisecond

func (d *daemon) connect(ctx context.Context) (err error) {
	o := d.cfg.NATS.client(d.cfg.Env)
	o.Daemon, o.Log = true, d.cfg.Log
	o.Closed = func(err error) {
		select {
		case d.lost <- cmpErr(err):
		default:
		}
	}
	if d.cfg.NATS.url == "" {
		d.server, err = jetstream.Embed(ctx, jetstream.ServerOptions{Dir: d.cfg.Env.Path(d.cfg.NATS.data), Listen: d.cfg.Listen, Token: d.cfg.NATS.token, Log: d.cfg.Log})
		if err == nil {
			d.nc, err = d.server.Connect(ctx, o)
		}
	} else {
		d.nc, err = jetstream.Connect(ctx, d.cfg.NATS.url, o)
	}
	if err != nil {
		return err
	}
	d.js, err = natsjs.New(d.nc)
	return err
}

func cmpErr(err error) error {
	if err == nil {
		err = errors.New("closed")
	}
	return fmt.Errorf("connection to NATS: %w", err)
}

// exposers are the movers: one for each kind.
func (d *daemon) exposers(ctx context.Context) (map[steps.MoverKind]deployments.Exposer, error) {
	bucket := d.names.Bucket(jetstream.FlagsBucket)
	kv, err := d.js.KeyValue(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	if d.confirmer, err = openfeature.OpenConfirmer(ctx, d.js, bucket); err != nil {
		return nil, err
	}
	sources := &flagSources{own: flagSource{natskv.Store{KV: kv}, d.confirmer}}
	flag := deployments.FlagExposer{Open: sources.open, Now: d.cfg.Env.Now, Audit: d.audit.note}
	return map[steps.MoverKind]deployments.Exposer{
		steps.VersionFlag: flag, steps.FeatureFlag: flag,
		steps.ExecMover: newExecExposer(d.cfg.Env), steps.EventMover: elsewhere{}, steps.Observe: elsewhere{},
	}, nil
}

// close releases everything that newDaemon took.
func (d *daemon) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if d.listener != nil {
		_ = d.listener.Close()
	}
	if d.confirmer != nil {
		_ = d.confirmer.Close(ctx)
	}
	if d.querier != nil {
		_ = d.querier.Close()
	}
	if d.nc != nil {
		_ = d.nc.FlushWithContext(ctx)
		d.nc.Close()
	}
	if d.server != nil {
		_ = d.server.Shutdown()
	}
}

// workerName is unique among the workers of a NATS: host and process.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
