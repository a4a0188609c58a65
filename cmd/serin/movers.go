package main

import (
	"context"
	"encoding/json"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
	"github.com/serin-cd/serin/steps/traffic"
)

// execExposer moves traffic by the commands of the policy. They get PATH and HOME of the daemon's environment: the rest
// of it may hold credentials.
type execExposer struct{ env []string }

func newExecExposer(env Env) execExposer {
	return execExposer{env: []string{"PATH=" + env.Getenv("PATH"), "HOME=" + env.Getenv("HOME")}}
}

func (x execExposer) Expose(ctx context.Context, w deployments.Wish) (steps.Observed, error) {
	return traffic.Exec{Set: w.Mover.Set, Read: w.Mover.Read, Service: w.Service, Environment: w.Environment,
		Rollout: w.Rollout, Seq: w.Seq, Env: x.env}.Expose(ctx, w.Exposure)
}

// elsewhere is traffic that somebody else moves: the request is told as an event, and confirmed by an acknowledgement
// or by the measured share.
type elsewhere struct{}

func (elsewhere) Expose(context.Context, deployments.Wish) (steps.Observed, error) {
	return steps.Observed{How: "waiting for somebody else to confirm"}, nil
}

// handlers answer requests to the worker.
func handlers(w *deployments.Worker) jetstream.Handlers {
	return jetstream.Handlers{
		Command: func(ctx context.Context, r jetstream.Request) jetstream.Reply {
			var c steps.Command
			if len(r.Data) > 0 {
				if err := json.Unmarshal(r.Data, &c); err != nil {
					return jetstream.Refused(deployments.Refuse("invalid", err))
				}
			}
			c.Verb, c.By = steps.Verb(r.Verb), r.From.Record(c.By)
			e, err := w.Order(ctx, r.Slot, c)
			return reply(e, err)
		},
		Ack: func(ctx context.Context, r jetstream.Request) jetstream.Reply {
			var a deployments.Ack
			if err := json.Unmarshal(r.Data, &a); err != nil {
				return jetstream.Refused(deployments.Refuse("invalid", err))
			}
			a.By = r.From.Record(a.By)
			e, err := w.Acknowledge(ctx, r.Slot, a)
			return reply(e, err)
		},
		Ask: func(_ context.Context, r jetstream.Request) (jetstream.Reply, bool) {
			asked, ok := w.Ask(r.Slot)
			if !ok {
				return jetstream.Reply{}, false
			}
			return marshalled(asked), true
		},
	}
}

func reply(e deployments.Entry, err error) jetstream.Reply {
	if err != nil {
		return jetstream.Refused(err)
	}
	return marshalled(e.State)
}

func marshalled(v any) jetstream.Reply {
	text, err := json.Marshal(v)
	if err != nil {
		return jetstream.Refused(err)
	}
	return jetstream.Reply{OK: true, State: text}
}
