package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	name := flag.String("name", "checkout", "value of the label service")
	version := flag.String("version", "", "value of the label version, and of the header X-Version")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", l.Addr())
	server := &http.Server{Handler: newVersion(*name, *version), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(l))
}

// version is one running version.
type version struct {
	name     string
	fault    atomic.Pointer[fault]
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

// fault is what is wrong with a version.
type fault struct {
	errors  float64       // share of answers that are 500
	latency time.Duration // what every answer takes
}

func newVersion(service, name string) http.Handler {
	own := prometheus.Labels{"service": service, "version": name}
	v := &version{
		name: name,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "Answers sent, by status code.", ConstLabels: own,
		}, []string{"code"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "http_request_duration_seconds", Help: "Time until the answer.", ConstLabels: own,
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1},
		}),
	}
	v.fault.Store(&fault{})
	v.requests.WithLabelValues("200") // a version without traffic has a series, one without errors has none of them
	registry := prometheus.NewRegistry()
	registry.MustRegister(v.requests, v.duration)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", v.answer)
	mux.HandleFunc("PUT /fault", v.spoil)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (v *version) answer(w http.ResponseWriter, r *http.Request) {
	began, f, code := time.Now(), v.fault.Load(), http.StatusOK
	if f.latency > 0 {
		slow := time.NewTimer(f.latency)
		defer slow.Stop()
		select {
		case <-slow.C:
		case <-r.Context().Done():
		}
	}
	if rand.Float64() < f.errors {
		code = http.StatusInternalServerError
	}
	v.requests.WithLabelValues(strconv.Itoa(code)).Inc()
	v.duration.Observe(time.Since(began).Seconds())
	w.Header().Set("X-Version", v.name)
	w.WriteHeader(code)
}

// spoil sets the fault: PUT /fault?errors=0.3&latency=1s; what is not named is mended.
func (v *version) spoil(w http.ResponseWriter, r *http.Request) {
	var f fault
	var errs []error
	if text := r.FormValue("errors"); text != "" {
		var err error
		f.errors, err = strconv.ParseFloat(text, 64)
		errs = append(errs, err)
	}
	if text := r.FormValue("latency"); text != "" {
		var err error
		f.latency, err = time.ParseDuration(text)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v.fault.Store(&f)
}
