package main

import (
	"context"
	"fmt"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// inputs are the subjects whose messages the daemon publishes as releases. What does not work is said before it serves.
func (d *daemon) inputs(ctx context.Context) (jetstream.Inputs, error) {
	seen := prom.NewCounterVec(prom.CounterOpts{Namespace: "serin", Name: "input_messages_total",
		Help: "Messages of inputs, by what became of them: published, duplicate, ignored, refused or later."}, []string{"input", "outcome"})
	in := jetstream.Inputs{JS: d.js, Names: d.names, Inputs: d.cfg.Inputs, Log: d.cfg.Log,
		Count: func(input, outcome string) { seen.WithLabelValues(input, outcome).Inc() }}
	if len(in.Inputs) == 0 {
		return in, nil
	}
	d.registry.MustRegister(seen)
	return in, in.Open(ctx)
}

// subjects are the inputs of the configuration file.
func (s settings) subjects() ([]jetstream.Input, error) {
	all := jetstream.ParseInputs(s.inputs)
	return all, s.err()
}

// readInputs takes the inputs of the configuration file.
func (cfg *daemonConfig) readInputs() (err error) {
	cfg.Inputs, err = cfg.Env.settings.subjects()
	return err
}

// openInputs finds the streams of the configuration's inputs, or makes them: a worker's rights are not enough for that.
func openInputs(ctx context.Context, env Env, r *remote) error {
	all, err := env.settings.subjects()
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	if err := (jetstream.Inputs{JS: r.js, Names: r.names, Inputs: all}).Open(ctx); err != nil {
		return err
	}
	for _, in := range all {
		fmt.Fprintf(env.Stdout, "%s can be read\n", in)
	}
	return nil
}
