package notify

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what receivers were told.
type Metrics struct {
	attempts, delivered, undelivered *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "serin", Subsystem: "notify", Name: name, Help: help}, []string{"receiver"})
	}
	m := &Metrics{
		attempts:    counter("attempts_total", "Tries to tell a receiver of an event."),
		delivered:   counter("delivered_total", "Tries that the receiver took."),
		undelivered: counter("undelivered_total", "Events that were given up, and are dead letters."),
	}
	reg.MustRegister(m.attempts, m.delivered, m.undelivered)
	return m
}

// begin makes the receiver's series, so that a rise from zero is seen.
func (m *Metrics) begin(receiver string) {
	for _, c := range []*prometheus.CounterVec{m.attempts, m.delivered, m.undelivered} {
		c.WithLabelValues(receiver)
	}
}

// tried counts a try.
func (m *Metrics) tried(receiver string, err error) {
	m.attempts.WithLabelValues(receiver).Inc()
	if err == nil {
		m.delivered.WithLabelValues(receiver).Inc()
	}
}

// Undelivered counts an event that was given up.
func (m *Metrics) Undelivered(receiver string) { m.undelivered.WithLabelValues(receiver).Inc() }
