package main

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readiness is where the daemon is in its life.
type readiness struct{ state atomic.Pointer[string] }

func (r *readiness) set(s string) { r.state.Store(&s) }
func (r *readiness) start()       { r.set("starting") }
func (r *readiness) ready()       { r.set("ready") }
func (r *readiness) drain()       { r.set("draining") }

// is says where, and whether releases should be sent here.
func (r *readiness) is() (string, bool) {
	s := r.state.Load()
	if s == nil {
		return "starting", false
	}
	return *s, *s == "ready"
}

// serveHTTP answers /metrics, /healthz and /readyz.
func (d *daemon) serveHTTP(ctx context.Context) error {
	d.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state, ok := d.ready.is()
		if ok && !d.nc.IsConnected() {
			state, ok = "NATS is away", false
		}
		if ok && d.server != nil && d.server.Fault() != "" {
			state, ok = d.server.Fault(), false
		}
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte(state + "\n"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	defer stop()
	if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
