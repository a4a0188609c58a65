package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// auditor writes records of flags behind the back of those that change them: no kill waits for its record.
type auditor struct {
	keep    jetstream.Audit
	log     *slog.Logger
	waiting chan deployments.FlagChange
}

func newAuditor(keep jetstream.Audit, log *slog.Logger) *auditor {
	return &auditor{keep: keep, log: log, waiting: make(chan deployments.FlagChange, 1000)}
}

// note takes a record. When too many wait it is logged instead.
func (a *auditor) note(c deployments.FlagChange) {
	select {
	case a.waiting <- c:
	default:
		a.log.Error("record of a flag not kept: too many wait", "record", c)
	}
}

// run writes until ctx ends, and then what still waits.
func (a *auditor) run(ctx context.Context) error {
	for {
		select {
		case c := <-a.waiting:
			a.write(ctx, c)
		case <-ctx.Done():
			for {
				select {
				case c := <-a.waiting:
					a.write(ctx, c)
				default:
					return nil
				}
			}
		}
	}
}

// write tries for a while: a record must not hold up the ones behind it for ever. What cannot be written is logged.
func (a *auditor) write(ctx context.Context, c deployments.FlagChange) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := a.keep.Record(ctx, c); err != nil {
		a.log.Error("record of a flag not kept", "error", err, "record", c)
	}
}
