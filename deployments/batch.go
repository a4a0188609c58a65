package deployments

import (
	"context"
	"sync"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// gather is how long questions are collected: rollouts of one policy share an instant, and so one batch.
const gather = 2 * time.Millisecond

// question asks for the readings of one rollout at an instant.
type question struct {
	at       time.Time
	measure  steps.Measure
	requests []analysis.Request
	share    *analysis.Request // the measured share is asked for too
	reply    chan<- answer     // has room for one answer
}

// answer is what came of it.
type answer struct {
	at         time.Time
	measure    steps.Measure
	judgements []analysis.Judgement
	share      *analysis.MeasuredShare
}

// batcher asks the questions of one instant in one batch.
type batcher struct {
	analyst Analyst
	asks    chan question
}

// ask hands a question over. It is false when ctx ended first: no answer will come.
func (b *batcher) ask(ctx context.Context, q question) bool {
	select {
	case b.asks <- q:
		return true
	case <-ctx.Done():
		return false
	}
}

// run asks until ctx ends, and waits for the answers under way.
func (b *batcher) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	waiting := map[time.Time][]question{}
	var flush <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-b.asks:
			if len(waiting) == 0 {
				flush = time.After(gather)
			}
			waiting[q.at] = append(waiting[q.at], q)
		case <-flush:
			for at, qs := range waiting {
				wg.Go(func() { b.measure(ctx, at, qs) })
			}
			clear(waiting)
		}
	}
}

func (b *batcher) measure(ctx context.Context, at time.Time, qs []question) {
	var all, shares []analysis.Request
	for _, q := range qs {
		all = append(all, q.requests...)
		if q.share != nil {
			shares = append(shares, *q.share)
		}
	}
	js := b.analyst.Measure(ctx, all, at)
	var measured []analysis.MeasuredShare
	if len(shares) > 0 {
		measured = b.analyst.Shares(ctx, shares, at)
	}
	for _, q := range qs {
		a := answer{at: at, measure: q.measure, judgements: js[:len(q.requests)]}
		js = js[len(q.requests):]
		if q.share != nil {
			a.share, measured = &measured[0], measured[1:]
		}
		q.reply <- a
	}
}
