package deployments

import (
	"context"
	"sync"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

const (
	// gather is how long questions are collected: rollouts of one policy share an instant, and so one batch.
	gather = 2 * time.Millisecond
	// batchSize is how many rollouts are asked about in one call. When thousands are due at one instant, the first ones
	// are answered and acted upon while the last ones wait; and one query that hangs keeps no more than these waiting.
	batchSize = 32
	// batchesAtOnce is how many calls are under way for one Prometheus. One that hangs holds up no other one.
	batchesAtOnce = 8
)

// question asks for the readings of one rollout at an instant.
type question struct {
	at       time.Time
	source   string // the Prometheus that is asked
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

// batcher asks the questions of one instant to one Prometheus in batches.
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
	var calls sync.WaitGroup
	defer calls.Wait()
	lanes := map[string]*lane{}
	free := make(chan string)
	begin := func(source string) {
		for qs := lanes[source].take(); len(qs) > 0; qs = lanes[source].take() {
			calls.Go(func() { b.call(ctx, qs, free) })
		}
		if lanes[source].calls == 0 {
			delete(lanes, source)
		}
	}
	var gathered <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-b.asks:
			if lanes[q.source] == nil {
				lanes[q.source] = &lane{}
			}
			lanes[q.source].add(q)
			if gathered == nil {
				gathered = time.After(gather)
			}
		case <-gathered:
			gathered = nil
			for source := range lanes {
				begin(source)
			}
		case source := <-free:
			lanes[source].calls--
			begin(source)
		}
	}
}

// call asks a batch, then says that its source is free for another.
func (b *batcher) call(ctx context.Context, qs []question, free chan<- string) {
	b.measure(ctx, qs[0].at, qs)
	select {
	case free <- qs[0].source:
	case <-ctx.Done():
	}
}

// lane is what waits for one Prometheus, and how many calls are under way there.
type lane struct {
	waiting []instant // in the order in which their first question came
	calls   int
}

// instant is the questions of one instant.
type instant struct {
	at        time.Time
	questions []question
}

func (l *lane) add(q question) {
	for i := len(l.waiting) - 1; i >= 0; i-- {
		if w := &l.waiting[i]; w.at.Equal(q.at) {
			w.questions = append(w.questions, q)
			return
		}
	}
	l.waiting = append(l.waiting, instant{q.at, []question{q}})
}

// take is the next batch; none when nothing waits, or enough is under way.
func (l *lane) take() []question {
	if len(l.waiting) == 0 || l.calls == batchesAtOnce {
		return nil
	}
	l.calls++
	w := &l.waiting[0]
	n := min(batchSize, len(w.questions))
	batch := w.questions[:n:n]
	if w.questions = w.questions[n:]; len(w.questions) == 0 {
		l.waiting = append(l.waiting[:0], l.waiting[1:]...)
	}
	return batch
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
		n := len(q.requests)
		a := answer{at: at, measure: q.measure, judgements: js[:n:n]}
		js = js[n:]
		if q.share != nil {
			a.share, measured = &measured[0], measured[1:]
		}
		q.reply <- a
	}
}
