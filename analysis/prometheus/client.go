package prometheus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-cd/serin/analysis"
)

// DefaultConcurrency is the number of queries in flight at one source, unless the client says otherwise.
const DefaultConcurrency = 8

// Client asks Prometheus servers. It is safe for concurrent use; its fields must not change after the first query.
type Client struct {
	Default     *analysis.Source // asked by queries that name no source; nil: those fail
	Concurrency int              // queries in flight at one source, over all calls; 0 means DefaultConcurrency

	mu      sync.Mutex
	servers map[string]*server // by Source.ID
}

var _ analysis.Querier = (*Client)(nil)

// Query asks all queries at the instant and returns one result for each, in order. Queries of one source with the same
// text are asked once and share their samples. The end of ctx ends all that is under way.
func (c *Client) Query(ctx context.Context, qs []analysis.Query, at time.Time) []analysis.Result {
	out := make([]analysis.Result, len(qs))
	p := c.plan(qs, out)
	p.run(ctx, at)
	for i, j := range p.jobOf {
		if j >= 0 {
			out[i] = p.jobs[j].result
		}
	}
	return out
}

// Close drops the kept connections. The client can be used again.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.servers {
		s.http.CloseIdleConnections()
	}
	c.servers = nil
	return nil
}

var errNoSource = errors.New("no prometheus is named: set `prometheus:` in the policy, or start serin with one")

// server returns the pool's entry for a source, and makes it at first use. A source that cannot be used, say for want
// of its CA file, is tried again by the next call.
func (c *Client) server(source *analysis.Source) (*server, error) {
	if source == nil {
		source = c.Default
	}
	if source == nil {
		return nil, errNoSource
	}
	id := source.ID()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.servers[id]; ok {
		return s, nil
	}
	s, err := newServer(*source, max(c.Concurrency, 0))
	if err != nil {
		return nil, err
	}
	if c.servers == nil {
		c.servers = map[string]*server{}
	}
	c.servers[id] = s
	return s, nil
}

// job is one distinct query at one server.
type job struct {
	server *server
	text   string
	result analysis.Result
}

// plan is a call's queries without repetitions.
type plan struct {
	jobs  []job
	jobOf []int // of each query its job, or -1 when it has failed already
	of    map[*server][]int
}

type question struct {
	server *server
	text   string
}

// plan renders the queries and drops repetitions. Those that cannot be asked get their error in out.
func (c *Client) plan(qs []analysis.Query, out []analysis.Result) plan {
	p := plan{jobs: make([]job, 0, len(qs)), jobOf: make([]int, len(qs)), of: map[*server][]int{}}
	known := make(map[question]int, len(qs))
	sources := map[*analysis.Source]lookup{}
	for i, q := range qs {
		p.jobOf[i] = -1
		text, err := q.Template.Render(q.Vars)
		if out[i] = (analysis.Result{Expr: text, Err: err}); err != nil {
			continue
		}
		found, ok := sources[q.Source]
		if !ok {
			found.server, found.err = c.server(q.Source)
			sources[q.Source] = found
		}
		if out[i].Err = found.err; found.err != nil {
			continue
		}
		k, ok := known[question{found.server, text}]
		if !ok {
			k = len(p.jobs)
			known[question{found.server, text}] = k
			p.jobs = append(p.jobs, job{server: found.server, text: text})
			p.of[found.server] = append(p.of[found.server], k)
		}
		p.jobOf[i] = k
	}
	return p
}

type lookup struct {
	server *server
	err    error
}

// run asks all jobs: at each server by as many workers as it bears. It returns when all have ended.
func (p *plan) run(ctx context.Context, at time.Time) {
	if len(p.jobs) == 1 {
		p.jobs[0].ask(ctx, at)
		return
	}
	var all sync.WaitGroup
	for s, mine := range p.of {
		next := new(atomic.Int64)
		for range min(cap(s.slots), len(mine)) {
			all.Go(func() {
				for k := next.Add(1); int(k) <= len(mine); k = next.Add(1) {
					p.jobs[mine[k-1]].ask(ctx, at)
				}
			})
		}
	}
	all.Wait()
}

// ask waits for a slot at the server, shared with other calls, and asks.
func (j *job) ask(ctx context.Context, at time.Time) {
	select {
	case j.server.slots <- struct{}{}:
		defer func() { <-j.server.slots }()
		j.result = j.server.ask(ctx, j.text, at)
	case <-ctx.Done():
		j.result = analysis.Result{Expr: j.text, Err: ended(ctx.Err())}
	}
}
