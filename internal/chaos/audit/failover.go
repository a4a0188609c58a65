package audit

import (
	"slices"
	"time"

	"github.com/serin-cd/serin/internal/chaos"
)

// failover is the longest time from a worker's death or freeze to the first evaluation of one of its rollouts by
// another. A rollout was the worker's when it evaluated it last, and not long before.
func (a *auditor) failover() time.Duration {
	byService := map[string][]chaos.Evaluation{}
	for _, e := range a.Evaluations {
		byService[e.Service] = append(byService[e.Service], e)
	}
	var worst time.Duration
	for _, service := range a.order {
		asked := byService[service]
		slices.SortFunc(asked, func(x, y chaos.Evaluation) int { return x.At.Compare(y.At) })
		spans := spans(a.slots[service].entries, a.Run.End)
		for _, f := range a.Faults {
			if f.Kind != chaos.KillWorker && f.Kind != chaos.StopWorker {
				continue
			}
			if s, ok := around(spans, f.From); ok {
				worst = max(worst, takenOver(f, s, asked, a.Run.Interval))
			}
		}
	}
	return worst
}

// takenOver is how long after a fault another worker evaluated; 0 where none had to.
func takenOver(f chaos.Fault, s span, asked []chaos.Evaluation, interval time.Duration) time.Duration {
	var last chaos.Evaluation
	for _, e := range asked {
		switch {
		case !e.At.After(f.From):
			last = e
		case last.By != f.Target || f.From.Sub(last.At) > interval+slack:
			return 0
		case e.At.After(s.to):
			return 0
		case e.By != f.Target:
			return e.At.Sub(f.From)
		}
	}
	return 0
}

// around is the span in which an instant lies.
func around(spans []span, at time.Time) (span, bool) {
	for _, s := range spans {
		if !at.Before(s.from) && at.Before(s.to) {
			return s, true
		}
	}
	return span{}, false
}
