package main

import (
	"context"

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

// readInputs takes the inputs of the configuration file.
func (c *daemonConfig) readInputs() error {
	c.Inputs = jetstream.ParseInputs(c.Env.settings.inputs)
	return c.Env.settings.err()
}
