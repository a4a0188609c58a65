package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// defaultHTTP is where the daemon tells about itself.
const defaultHTTP = "127.0.0.1:4280"

type serveFlags struct {
	natsFlags
	policies              []string
	listen, http          string
	flagdSync             string
	flagdSyncOpen         bool
	prometheus, slackFile string
	logFormat, retention  string
	verbose, structured   bool
	ofrep                 ofrepFlags
	intake                intakeFlags
}

func newServe(env Env) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve --policies DIR",
		Short: "Advance releases until stopped",
		Long: "Serve takes in releases, advances them by their policies, and takes them back when they are bad.\n" +
			"Without --nats it runs its own NATS server on --listen and keeps everything in --data.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), env, f) },
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&f.policies, "policies", nil, "policy file or directory (may be given again)")
	cmd.Flags().StringVar(&f.listen, "listen", jetstream.DefaultListen, "address of the embedded NATS server")
	cmd.Flags().StringVar(&f.http, "http", defaultHTTP, "address of /metrics, /healthz and /readyz")
	cmd.Flags().StringVar(&f.flagdSync, "flagd-sync", "", "address of the gRPC service that flagd reads Serin's own flags from (default: none)")
	cmd.Flags().BoolVar(&f.flagdSyncOpen, "flagd-sync-open", false, "let anybody who reaches --flagd-sync read the flags: it has neither tokens nor TLS")
	cmd.Flags().StringVar(&f.prometheus, "prometheus", "", "Prometheus URL for policies that name none")
	cmd.Flags().StringVar(&f.slackFile, "slack-webhook-file", "", "file with a Slack incoming webhook's URL (default: SERIN_SLACK_WEBHOOK_FILE)")
	cmd.Flags().StringVar(&f.retention, "retention", "400d", "how long the entries of finished rollouts are kept; 0 is for ever")
	cmd.Flags().BoolVar(&f.structured, "structured-events", false, "publish events as CloudEvents in structured mode: attributes and data in one JSON object, not in headers")
	cmd.Flags().StringVar(&f.logFormat, "log", "text", "log format: text or json")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log what happens in detail")
	f.ofrep.add(cmd)
	f.intake.add(cmd)
	if err := cmd.MarkFlagRequired("policies"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

func serve(ctx context.Context, env Env, f serveFlags) error {
	cfg, err := f.config(env)
	if err != nil {
		return err
	}
	begin := time.Now()
	d, err := newDaemon(ctx, cfg)
	if err != nil {
		return err
	}
	defer d.close()
	where := jetstream.RedactURL(f.url)
	if d.server != nil {
		where = d.server.URL() + " (embedded, data in " + f.data + ")"
	}
	cfg.Log.InfoContext(ctx, "serving", slog.String("worker", d.worker.Name), slog.String("nats", where), slog.String("http", d.listener.Addr().String()),
		slog.Int("policies", len(cfg.Policies)), slog.Duration("start", time.Since(begin).Round(time.Millisecond)), slog.String("version", buildInfo().Version))
	err = d.Run(ctx)
	cfg.Log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return err
}

// config checks everything that can be checked before anything is started.
func (f *serveFlags) config(env Env) (daemonConfig, error) {
	usage := func(err error) (daemonConfig, error) { return daemonConfig{}, exitError{code: exitUsage, err: err} }
	if err := f.resolve(env); err != nil {
		return usage(err)
	}
	files, findings, err := readPolicies(env, f.policies)
	if err != nil {
		return usage(err)
	}
	if err := findings.Err(); err != nil {
		return usage(fmt.Errorf("invalid policies:\n%w", err))
	}
	cfg := daemonConfig{Policies: files, NATS: f.natsFlags, Listen: f.listen, HTTP: f.http, FlagdSync: f.flagdSync, Structured: f.structured, Env: env, Log: f.logger(env)}
	if f.prometheus != "" {
		if u, err := url.Parse(f.prometheus); err != nil || u.Host == "" {
			return usage(fmt.Errorf("--prometheus %q is no URL: write for example http://127.0.0.1:9090", f.prometheus))
		}
		cfg.Prometheus = &analysis.Source{URL: f.prometheus}
	}
	for _, file := range files {
		for _, p := range file.policies {
			if p.Source == nil && cfg.Prometheus == nil {
				return usage(fmt.Errorf("%s: %s names no prometheus: add `prometheus: URL` to the policy, or --prometheus URL", file.path, p.Slot))
			}
		}
	}
	if err = errors.Join(checkFlagdSync(f.flagdSync, f.flagdSyncOpen), f.ofrep.check(env), f.intake.check(env)); err != nil {
		return usage(err)
	}
	cfg.OFREP, cfg.Intake = f.ofrep, f.intake
	if cfg.Retention, err = keepFor(f.retention); err != nil {
		return usage(err)
	}
	cfg.Slack, err = f.slack(env)
	if err = errors.Join(err, cfg.readReceivers(), cfg.readInputs()); err != nil {
		return usage(err)
	}
	return cfg, nil
}

// slack reads the webhook's URL: it is a secret, and so comes from a file.
func (f *serveFlags) slack(env Env) (string, error) {
	if f.slackFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(env.Path(f.slackFile))
	if err != nil {
		return "", fmt.Errorf("read the Slack webhook: %w", err)
	}
	hook := strings.TrimSpace(string(text))
	if u, err := url.Parse(hook); err != nil || u.Host == "" {
		return "", errors.New("the Slack webhook in " + f.slackFile + " is no URL")
	}
	return hook, nil
}

func (f *serveFlags) logger(env Env) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if f.verbose {
		o.Level = slog.LevelDebug
	}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(env.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(env.Stderr, o))
}
