package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/rules"
)

func TestResultsKeepTheOrderAndRepetitionsAreAskedOnce(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"%s"]}}`, strings.TrimSuffix(strings.TrimPrefix(r.FormValue("query"), "vector("), ")"))
	})
	c := client(t, analysis.Source{URL: s.URL})
	same := &analysis.Source{URL: s.URL + "/"} // another pointer and another text, the same server
	var qs []analysis.Query
	for i := range 100 {
		q := query(fmt.Sprintf("vector(%d)", i%40))
		if i%2 == 0 {
			q.Source = same
		}
		qs = append(qs, q)
	}
	for i, r := range c.Query(t.Context(), qs, noon) {
		if r.Err != nil || len(r.Samples) != 1 || r.Samples[0].Value != float64(i%40) || r.Expr != fmt.Sprintf("vector(%d)", i%40) {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	if n := asked.Load(); n != 40 {
		t.Errorf("%d requests for 40 distinct queries", n)
	}
}

func TestConcurrencyIsBoundedOverAllCalls(t *testing.T) {
	const limit = 3
	var now, most, arrived atomic.Int64
	gate := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if arrived.Add(1) == limit {
			close(gate)
		}
		<-gate // the first ones wait until as many as may be are here
		_, _ = w.Write(recorded(t, "empty.json"))
	})
	c := client(t, analysis.Source{URL: s.URL})
	c.Concurrency = limit
	var calls sync.WaitGroup
	for i := range 4 {
		calls.Go(func() {
			var qs []analysis.Query
			for k := range 10 {
				qs = append(qs, query(fmt.Sprintf("vector(%d)", 10*i+k)))
			}
			for _, r := range c.Query(t.Context(), qs, noon) {
				if r.Err != nil {
					t.Error(r.Err)
				}
			}
		})
	}
	calls.Wait()
	if n := most.Load(); n != limit {
		t.Errorf("%d queries in flight, want %d", n, limit)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(recorded(t, "empty.json")) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := client(t, analysis.Source{URL: s.URL})
	for round := range 20 {
		var qs []analysis.Query
		for k := range 20 {
			qs = append(qs, query(fmt.Sprintf("vector(%d)", 20*round+k)))
		}
		for _, r := range c.Query(t.Context(), qs, noon) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	}
	// A request that finds no idle connection dials, and may be served by one that comes free before its dial is done: on a
	// slow machine some connections are opened that nobody waits for any more. They are kept too, and so their number is small.
	if n := opened.Load(); n == 0 || n > 4*prometheus.DefaultConcurrency {
		t.Errorf("%d connections for 400 queries", n)
	}
}

// hanging answers nothing until the test ends.
func hanging(t *testing.T) string {
	done := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(done) })
	return s.URL
}

func TestEachQueryHasItsOwnTimeout(t *testing.T) {
	c := client(t, analysis.Source{URL: hanging(t), Timeout: 20 * time.Millisecond})
	for _, r := range c.Query(t.Context(), []analysis.Query{query("a"), query("b")}, noon) {
		if !errors.Is(r.Err, context.DeadlineExceeded) || !strings.Contains(r.Err.Error(), "did not answer within 20ms") {
			t.Errorf("error %v", r.Err)
		}
	}
}

func TestTheContextEndsAll(t *testing.T) {
	c := client(t, analysis.Source{URL: hanging(t)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var qs []analysis.Query
	for i := range 30 {
		qs = append(qs, query(fmt.Sprintf("vector(%d)", i)))
	}
	for _, r := range c.Query(ctx, qs, noon) {
		if !errors.Is(r.Err, context.DeadlineExceeded) || !strings.Contains(r.Err.Error(), "no time left") {
			t.Errorf("error %v", r.Err)
		}
	}
}

func TestAQueryThatCannotBeRenderedDoesNotHarmItsNeighbours(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(recorded(t, "scalar.json")) })
	unset := analysis.Query{Template: rules.MustCompile(`rate(x[{{window}}])`)} // a window of 0
	got := client(t, analysis.Source{URL: s.URL}).Query(t.Context(), []analysis.Query{unset, query("up")}, noon)
	if got[0].Err == nil || got[1].Err != nil {
		t.Errorf("errors %v and %v", got[0].Err, got[1].Err)
	}
}

func TestNothingAskedIsNothingAnswered(t *testing.T) {
	if got := (&prometheus.Client{}).Query(t.Context(), nil, noon); len(got) != 0 {
		t.Errorf("results %v", got)
	}
}

func TestAClosedClientCanBeUsedAgain(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(recorded(t, "scalar.json")) })
	c := client(t, analysis.Source{URL: s.URL})
	for range 2 {
		if r := ask(t, c, "up"); r.Err != nil {
			t.Fatal(r.Err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
