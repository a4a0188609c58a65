package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// version is one running version: a server on its own port, with its own registry.
type version struct {
	name  string
	fault Fault
	opts  Options

	begun    atomic.Bool  // the fault acts
	firstBad atomic.Int64 // nanoseconds of its first bad answer; 0: none

	requests *prometheus.CounterVec
	duration prometheus.Observer

	address string
	server  *http.Server
	served  chan struct{}  // closed when the listener is
	conns   sync.WaitGroup // connections that are still served
}

func newVersion(name string, f Fault, opts Options) *version {
	v := &version{name: name, fault: f, opts: opts, served: make(chan struct{})}
	v.begun.Store(f.Kind == IgnoresFlag && f.FromShare == 0)
	own := prometheus.Labels{"service": opts.Name, "version": name}
	v.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Answers sent, by status code.", ConstLabels: own,
	}, []string{"code"})
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "http_request_duration_seconds", Help: "Time from a request's arrival to its answer.", ConstLabels: own,
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	})
	v.requests.WithLabelValues("200")
	if opts.Background > 0 {
		v.requests.WithLabelValues("500")
	}
	v.duration = duration
	registry := prometheus.NewRegistry()
	registry.MustRegister(v.requests, duration)
	mux := http.NewServeMux()
	mux.HandleFunc("/", v.answer)
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}))
	v.server = &http.Server{Handler: mux, ConnState: v.track, ReadHeaderTimeout: 5 * time.Second}
	return v
}

// listen starts the server on a free port of the loopback.
func (v *version) listen(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for version %s: %w", v.name, err)
	}
	v.address = l.Addr().String()
	go func() {
		defer close(v.served)
		_ = v.server.Serve(l) // ends with ErrServerClosed: nothing else closes the listener
	}()
	return nil
}

func (v *version) url() string { return "http://" + v.address }

// answer serves one request: it works a while, counts itself, and tells.
func (v *version) answer(w http.ResponseWriter, r *http.Request) {
	start := v.opts.Now()
	code, work, bad := v.fate()
	if !wait(r.Context(), work) {
		return // the caller is gone, or this process
	}
	if bad {
		v.spoiled()
	}
	v.duration.Observe(v.opts.Now().Sub(start).Seconds())
	v.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	w.WriteHeader(code)
}

// fate decides one answer: its code, what it takes, and whether the fault made it bad.
func (v *version) fate() (code int, work time.Duration, bad bool) {
	code, work = http.StatusOK, time.Duration((0.5+v.opts.Rand())*float64(v.opts.Work))
	if v.opts.Rand() < v.opts.Background {
		code = http.StatusInternalServerError
	}
	if !v.begun.Load() || v.fault.Kind != Errors && v.fault.Kind != Latency || !v.fault.hits(v.opts.Rand()) {
		return code, work, false
	}
	if v.fault.Kind == Errors {
		return http.StatusInternalServerError, work, true
	}
	return code, v.fault.Latency, true
}

// spoiled notes the time of the first bad answer.
func (v *version) spoiled() { v.firstBad.CompareAndSwap(0, v.opts.Now().UnixNano()) }

// hurt is the time that spoiled noted, or zero.
func (v *version) hurt() time.Time {
	if ns := v.firstBad.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// kill ends the process as a crash does: at once, in the middle of what it serves.
func (v *version) kill() { _ = v.server.Close() }

// stop ends the process in order, within the context, and waits until nothing of it runs.
func (v *version) stop(ctx context.Context) error {
	err := v.server.Shutdown(ctx)
	v.kill()
	<-v.served
	v.conns.Wait()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stop version %s: %w", v.name, err)
	}
	return nil
}

func (v *version) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		v.conns.Add(1)
	case http.StateClosed:
		v.conns.Done()
	case http.StateActive, http.StateIdle, http.StateHijacked: // still the same connection
	}
}

// wait waits for d and reports whether the context lasted.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
