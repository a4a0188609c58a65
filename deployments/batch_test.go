package deployments

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// oracle answers each call after a time that depends on its requests, and notes the calls.
type oracle struct {
	Analyst
	takes func(rs []analysis.Request) time.Duration

	mu        sync.Mutex
	calls     []int // how many requests each had
	now, most int   // calls under way
	mixed     bool
}

func (o *oracle) Measure(ctx context.Context, rs []analysis.Request, at time.Time) []analysis.Judgement {
	o.mu.Lock()
	o.calls = append(o.calls, len(rs))
	o.now++
	o.most = max(o.most, o.now)
	for _, r := range rs {
		o.mixed = o.mixed || !r.Since.Equal(at)
	}
	o.mu.Unlock()
	select {
	case <-time.After(o.takes(rs)):
	case <-ctx.Done():
	}
	o.mu.Lock()
	o.now--
	o.mu.Unlock()
	js := make([]analysis.Judgement, len(rs))
	for i, r := range rs {
		js[i].Rule = r.Rule.Name
	}
	return js
}

// asker asks questions of a batcher in a bubble, and waits for each answer in a goroutine of its own.
type asker struct {
	b     *batcher
	waits sync.WaitGroup
	mu    sync.Mutex
	took  map[string]time.Duration // by the name of the rule asked about
}

func batching(t *testing.T, o *oracle) *asker {
	a := &asker{b: &batcher{analyst: o, asks: make(chan question)}, took: map[string]time.Duration{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.b.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return a
}

func (a *asker) ask(t *testing.T, source, name string, at time.Time) {
	reply := make(chan answer, 1)
	begin := time.Now()
	q := question{at: at, source: source, reply: reply, requests: []analysis.Request{{Since: at}}}
	q.requests[0].Rule.Name = name
	if !a.b.ask(t.Context(), q) {
		t.Error("not asked")
	}
	a.waits.Go(func() {
		got := <-reply
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(got.judgements) != 1 || got.judgements[0].Rule != name || !got.at.Equal(at) {
			t.Errorf("%s got %+v", name, got)
		}
		a.took[name] = max(a.took[name], time.Since(begin))
	})
}

func TestTheFirstOfManyAreAnsweredWhileTheLastWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{takes: func([]analysis.Request) time.Duration { return time.Second }}
		a := batching(t, o)
		at := time.Now()
		for i := range 3 * batchesAtOnce * batchSize {
			a.ask(t, "", map[bool]string{true: "first", false: "later"}[i < batchSize], at)
		}
		a.waits.Wait()
		if a.took["first"] > time.Second+gather || a.took["later"] < 3*time.Second {
			t.Errorf("answered after %v", a.took)
		}
		if o.most != batchesAtOnce || len(o.calls) != 3*batchesAtOnce {
			t.Errorf("%d calls, %d at once", len(o.calls), o.most)
		}
	})
}

func TestAQueryThatHangsHoldsUpNoOtherBatchAndNoOtherPrometheus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{takes: func(rs []analysis.Request) time.Duration {
			if rs[0].Rule.Name == "hangs" {
				return time.Minute
			}
			return 10 * time.Millisecond
		}}
		a := batching(t, o)
		at := time.Now()
		for i := range batchSize * 20 {
			if i < batchSize {
				a.ask(t, "one", "hangs", at)
			} else {
				a.ask(t, "one", "beside it", at)
			}
		}
		a.ask(t, "two", "elsewhere", at)
		a.waits.Wait()
		if a.took["hangs"] < time.Minute || a.took["beside it"] > time.Second || a.took["elsewhere"] > time.Second {
			t.Errorf("answered after %v", a.took)
		}
	})
}

func TestQuestionsOfOneInstantAreAskedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{takes: func([]analysis.Request) time.Duration { return time.Second }}
		a := batching(t, o)
		at := time.Now()
		for i := range 2 * batchSize { // of two instants, turn by turn
			a.ask(t, "", "q", at.Add(time.Duration(i%2)*time.Minute))
		}
		a.waits.Wait()
		if len(o.calls) != 2 || o.calls[0] != batchSize || o.mixed {
			t.Errorf("calls of %v, instants mixed: %t", o.calls, o.mixed)
		}
	})
}

func TestNothingIsTakenWhereNothingWaits(t *testing.T) {
	l := &lane{}
	l.add(question{at: time.Unix(1, 0)})
	if got := l.take(); len(got) != 1 || len(l.waiting) != 0 || l.calls != 1 {
		t.Errorf("took %d, left %+v", len(got), l)
	}
	if got := l.take(); got != nil || l.calls != 1 {
		t.Errorf("took %d of nothing", len(got))
	}
}
