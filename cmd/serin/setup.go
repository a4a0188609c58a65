package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
)

type setupFlags struct {
	natsFlags
	partitions, replicas int
	permissions, from    string
	environment          string
	services             []string
}

func newSetup(env Env) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make streams, consumers and buckets, or print the permissions of each role",
		Long: "Setup makes what is missing in NATS and says what it made and what it found; doing it again changes nothing.\n" +
			"With --permissions it connects to nothing and prints what each role needs: ci, operator, viewer, deployer, worker and\n" +
			"application, for all services or those of --service and --env.",
		Example: "  serin setup --nats nats://nats.example.com:4222 --creds admin.creds --replicas 3\n" +
			"  serin setup --permissions nats > serin-users.conf\n" +
			"  serin setup --permissions json --service checkout --env production",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.permissions != "" {
				return printPermissions(env, f)
			}
			return setUp(cmd.Context(), env, f)
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&f.partitions, "partitions", 0, fmt.Sprintf("partitions, fixed at the first setup (default %d, or those that are there)", jetstream.SetupPartitions))
	cmd.Flags().IntVar(&f.replicas, "replicas", 0, "replicas of each stream (default 1, or those that are there)")
	cmd.Flags().StringVar(&f.from, "from", "", "data directory of a stopped serin serve, whose slots, flags, policies and history are copied")
	cmd.Flags().StringVar(&f.permissions, "permissions", "", "print permissions: nats (for nats-server.conf) or json")
	cmd.Flags().StringSliceVar(&f.services, "service", nil, "with --permissions: of this service (may be given again; default: of all)")
	cmd.Flags().StringVar(&f.environment, "env", "", "with --permissions: in this environment (default: in all)")
	cmd.Flags().Lookup("env").Annotations = map[string][]string{ownDefault: nil}
	return cmd
}

// tellParts says what setup found and made.
func tellParts(env Env, before []jetstream.Part) {
	for _, part := range before {
		did := "made "
		if part.Found {
			did = "found"
		}
		fmt.Fprintf(env.Stdout, "%s %s %s\n", did, part.Kind, part.Name)
	}
}

func setUp(ctx context.Context, env Env, f setupFlags) error {
	if f.partitions < 0 || f.replicas < 0 || f.environment != "" || len(f.services) > 0 {
		return exitError{code: exitUsage, err: errors.New("partitions and replicas are at least 1, and --service and --env go with --permissions")}
	}
	r, err := f.dial(ctx, env)
	if err != nil {
		return err
	}
	defer r.close()
	layout := jetstream.Layout{Names: r.names, Partitions: f.partitions, Replicas: f.replicas}
	_, err = jetstream.Partitions(ctx, r.js, r.names)
	if errors.Is(err, natsjs.ErrStreamNotFound) && layout.Partitions == 0 {
		layout.Partitions = jetstream.SetupPartitions
	}
	before, err := jetstream.Parts(ctx, r.js, r.names)
	if err != nil {
		return err
	}
	if err := jetstream.Setup(ctx, r.js, layout); err != nil {
		return err
	}
	tellParts(env, before)
	partitions, err := jetstream.Partitions(ctx, r.js, r.names)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%d partitions; consumers are up to date\n", partitions)
	if err = openInputs(ctx, env, r); err == nil && f.from != "" {
		err = f.copyFrom(ctx, env, r)
	}
	return err
}

func printPermissions(env Env, f setupFlags) error {
	scopes, err := f.scopes()
	if err == nil && f.permissions != "nats" && f.permissions != "json" {
		err = fmt.Errorf("permissions %q is not one of nats, json", f.permissions)
	}
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	roles, err := jetstream.Roles(f.names(), scopes...)
	inputs, wrong := env.settings.subjects()
	if err = errors.Join(err, wrong); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	roles = jetstream.WithInputs(f.names(), roles, inputs)
	if f.permissions == "json" {
		return printJSON(env.Stdout, roles)
	}
	fmt.Fprint(env.Stdout, jetstream.ServerConfig(f.names(), roles))
	return nil
}

// scopes is what permissions are printed for.
func (f setupFlags) scopes() ([]jetstream.Scope, error) {
	services := f.services
	if len(services) == 0 {
		services = []string{""}
	}
	err := f.names().Validate()
	var scopes []jetstream.Scope
	for _, service := range services {
		s := jetstream.Scope{Environment: f.environment, Service: service}
		err = errors.Join(err, s.Validate())
		scopes = append(scopes, s)
	}
	return scopes, err
}

// setup makes what is missing. On a server of somebody else's it touches nothing that is there: a worker may not be
// allowed to, and need not be.
func (d *daemon) setup(ctx context.Context) error {
	layout := jetstream.Layout{Names: d.names}
	if d.server != nil {
		return jetstream.Setup(ctx, d.js, layout)
	}
	parts, err := jetstream.Parts(ctx, d.js, d.names)
	if err != nil || !slices.ContainsFunc(parts, func(p jetstream.Part) bool { return !p.Found }) {
		return err
	}
	_, never := jetstream.Partitions(ctx, d.js, d.names)
	if never != nil {
		layout.Partitions = jetstream.SetupPartitions
	}
	err = jetstream.Setup(ctx, d.js, layout)
	if err != nil && never == nil {
		// A part of a later version may be what is missing: rollouts go on without.
		d.cfg.Log.Error("not everything is set up: run serin setup as a user that may", "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: nothing is set up yet; run serin setup as a user that may", err)
	}
	return nil
}
