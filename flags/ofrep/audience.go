package ofrep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-cd/serin/flags"
)

// members asks for members of the audience, for such as lack one attribute, and for those from whom a kill took it. The
// zero sight says that each got what is due. Where the buckets are not Serin's (not exact), a share says nothing of one user
// outside the audience.
func (c *Confirmer) members(ctx context.Context, token string, q question, exact bool) (sight, time.Duration) {
	for i, who := range slices.Concat(q.want.Also.Contexts(), q.want.Was.Contexts()) {
		if _, own := who[flags.TargetingKey]; !own {
			who[flags.TargetingKey] = user(i)
		}
		answer, err := c.ask(ctx, token, q.key, who)
		if err != nil {
			var busy busyError
			errors.As(err, &busy)
			return unverifiable(err.Error()), time.Duration(busy)
		}
		due := q.want.ForContext(q.key, who)
		if q.serves(answer, due) || q.ramps() && !exact && !q.want.Also.Has(who) {
			continue
		}
		seen := q.mismatch(0, answer, []reply{answer})
		seen.Detail = fmt.Sprintf("a user with %v gets variant %q (%s), %q is due", who, bounded(answer.Variant), bounded(answer.Reason), due)
		return seen, 0
	}
	return sight{}, 0
}
