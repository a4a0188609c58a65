package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/serin-cd/serin/internal/lab/promlab"
	"github.com/serin-cd/serin/internal/lab/service"
)

// Config is what a world may be told. The zero Config is a whole one.
type Config struct {
	Service   service.Options
	Scrape    time.Duration    // interval; default 250ms
	Retention time.Duration    // of samples; default 1h
	Now       func() time.Time // default time.Now
}

// World is a running lab: the service, what scrapes it, and the query API over that.
type World struct {
	Service *service.Service // start and stop versions here
	Scraper *promlab.Scraper // scrapes by itself; tests may scrape between
	Store   *promlab.Store

	prometheus *http.Server
	address    string
	served     chan struct{} // closed when the API's listener is
	scrapes    *http.Client

	mu      sync.Mutex
	cancels []context.CancelFunc // of what runs
	running sync.WaitGroup       // the scraper and the loads
}

// Start starts a world without versions and without users. It runs until Stop, or until the context ends; Stop is
// needed either way.
func Start(ctx context.Context, c Config) (*World, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Service.Now == nil {
		c.Service.Now = c.Now
	}
	if c.Scrape <= 0 {
		c.Scrape = 250 * time.Millisecond
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the lab's Prometheus: %w", err)
	}
	store := promlab.NewStore(c.Now, c.Retention)
	w := &World{
		Service: service.New(c.Service), Store: store, address: listener.Addr().String(), served: make(chan struct{}),
		scrapes:    &http.Client{Transport: &http.Transport{DisableCompression: true}},
		prometheus: &http.Server{Handler: promlab.NewAPI(store, c.Now), ReadHeaderTimeout: 5 * time.Second},
	}
	w.Scraper = &promlab.Scraper{Store: store, Targets: w.Service.Targets, Client: w.scrapes, Timeout: max(c.Scrape, time.Second), Now: c.Now}
	go func() {
		defer close(w.served)
		_ = w.prometheus.Serve(listener) // ends with ErrServerClosed, by Stop
	}()
	w.run(ctx, func(ctx context.Context) { w.Scraper.Run(ctx, c.Scrape) })
	return w, nil
}

// Drive lets the users of a load come until Stop, until the context ends, or until the returned function is called,
// which waits for their last requests.
func (w *World) Drive(ctx context.Context, load *service.Load) (stop func()) {
	return w.run(ctx, load.Run)
}

func (w *World) run(ctx context.Context, do func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancels = append(w.cancels, cancel)
	w.running.Go(func() {
		defer close(done)
		do(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}

// PromURL is the base URL of the Prometheus API.
func (w *World) PromURL() string { return "http://" + w.address }

// MetricsURLs are the metrics pages of the versions started and not stopped, in the order of their start.
func (w *World) MetricsURLs() []string {
	var out []string
	for _, t := range w.Service.Targets() {
		out = append(out, t.URL)
	}
	return out
}

// Stop ends everything, users first, and waits for it, within the context. Nothing is to be started afterwards.
func (w *World) Stop(ctx context.Context) error {
	w.mu.Lock()
	for _, cancel := range w.cancels {
		cancel()
	}
	w.mu.Unlock()
	w.running.Wait()
	err := errors.Join(w.Service.Close(ctx), w.prometheus.Shutdown(ctx), w.prometheus.Close())
	<-w.served
	w.scrapes.CloseIdleConnections()
	return err
}
