package jetstream

import (
	"context"
	"fmt"
)

// Untold counts the entries whose events are not published yet, over all workers.
func (d Dispatch) Untold(ctx context.Context) (uint64, error) {
	c, err := d.JS.Consumer(ctx, d.Names.Stream(JournalStream), dispatchConsumer)
	if err != nil {
		return 0, fmt.Errorf("count untold entries: %w", err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("count untold entries: %w", err)
	}
	return info.NumPending + uint64(info.NumAckPending), nil
}
