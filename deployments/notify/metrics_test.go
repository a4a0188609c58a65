package notify_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

func TestTriesAreCountedAndTheLastErrorIsKept(t *testing.T) {
	o, registry, memory := newOffice(t), prometheus.NewRegistry(), &notify.Brief{}
	metrics := notify.NewMetrics(registry)
	teller, err := notify.Open(notify.Receiver{Name: "hook", Kind: notify.SlackWebhook, URL: o.Webhook}, notify.Options{Memory: memory, Metrics: metrics, HTTP: o.http, Now: o.clock})
	if err != nil {
		t.Fatal(err)
	}
	o.Fail(slacktest.Fault{Status: 404}, slacktest.Fault{Status: 500})
	for i := range 5 { // refused, to be tried again, left alone, and told twice
		if i > 2 {
			o.wait(10 * time.Second)
		}
		_ = teller.Deliver(t.Context(), numbered(i))
	}
	metrics.Undelivered("hook")
	got := map[string]float64{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	if diff := cmp.Diff(map[string]float64{"serin_notify_attempts_total": 4, "serin_notify_delivered_total": 2, "serin_notify_undelivered_total": 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	state, err := notify.StateOf(t.Context(), memory, "hook")
	if err != nil || state.Error != "tell slack: answered 500 Internal Server Error; again in 10s" || !state.Delivered.After(state.Failed) {
		t.Errorf("%+v, %v", state, err)
	}
}
