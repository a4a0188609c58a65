package deployments

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/steps"
)

// Metrics are the daemon's own. All names are declared here.
type Metrics struct {
	Partitions  prometheus.Gauge
	Rollouts    prometheus.Gauge
	Releases    *prometheus.CounterVec
	Transitions *prometheus.CounterVec
	Ended       *prometheus.CounterVec
	Exposures   *prometheus.CounterVec
	ExposeTime  *prometheus.HistogramVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "serin", Name: name, Help: help}
	}
	m := &Metrics{
		Partitions:  prometheus.NewGauge(prometheus.GaugeOpts(opts("partitions", "Partitions this worker holds."))),
		Rollouts:    prometheus.NewGauge(prometheus.GaugeOpts(opts("rollouts", "Live rollouts this worker advances."))),
		Releases:    prometheus.NewCounterVec(prometheus.CounterOpts(opts("releases_total", "Releases taken in, by answer.")), []string{"answer"}),
		Transitions: prometheus.NewCounterVec(prometheus.CounterOpts(opts("transitions_total", "Entries written to the journal, by the phase they lead to.")), []string{"phase"}),
		Ended:       prometheus.NewCounterVec(prometheus.CounterOpts(opts("rollouts_ended_total", "Rollouts that ended, by outcome and cause.")), []string{"outcome", "cause"}),
		Exposures:   prometheus.NewCounterVec(prometheus.CounterOpts(opts("exposures_total", "Calls to a mover or flag source, by kind and result.")), []string{"kind", "result"}),
		ExposeTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "serin", Name: "expose_seconds",
			Help: "Time of a call to a mover or flag source, its confirmation included.", Buckets: prometheus.ExponentialBuckets(0.001, 3, 10)}, []string{"kind"}),
	}
	reg.MustRegister(m.Partitions, m.Rollouts, m.Releases, m.Transitions, m.Ended, m.Exposures, m.ExposeTime)
	return m
}

func (m *Metrics) transition(e Entry) {
	r := e.State.Rollout
	if r == nil {
		return
	}
	m.Transitions.WithLabelValues(string(r.Phase)).Inc()
	if r.Phase == steps.Ended && r.EndedAt.Equal(e.At) {
		m.Ended.WithLabelValues(string(r.Outcome), string(r.Cause)).Inc()
	}
}

func (m *Metrics) exposed(w Wish, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.Exposures.WithLabelValues(string(w.Mover.Kind), result).Inc()
	m.ExposeTime.WithLabelValues(string(w.Mover.Kind)).Observe(took.Seconds())
}
