package traffic

import (
	"context"

	"github.com/serin-cd/serin/steps"
)

// Elsewhere is traffic that somebody else moves: the people of an `observe` policy, or a deployer that reads
// traffic.requested events. It changes nothing and confirms nothing; an acknowledgement or the measured share does.
type Elsewhere struct {
	By string // the deployer's name; "" when nobody is asked
}

// Expose returns at once that nothing is confirmed yet.
func (m Elsewhere) Expose(ctx context.Context, e steps.Exposure) (steps.Observed, error) {
	if err := ctx.Err(); err != nil {
		return steps.Observed{}, err
	}
	how := "moved by hand; waiting for the measured share"
	if m.By != "" {
		how = "asked of " + m.By + "; waiting for its acknowledgement or the measured share"
	}
	return steps.Observed{Share: e.Share, How: how}, nil
}
