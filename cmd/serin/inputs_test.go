package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

func TestAMessageOfAPipelinesOwnIsRolledOut(t *testing.T) {
	o := newOrderedWith(t, func(c *daemonConfig) {
		c.Inputs = []jetstream.Input{{Name: "ci", Subject: "ci.deploys.>", Format: jetstream.AutoFormat,
			Map: map[string]string{"service": ".app", "version": ".tag", "environment": "subject.3"}, Only: map[string][]string{".status": {"success"}}}}
	})
	o.do("flags", "set", "checkout-version", "1.0.0")
	for _, body := range []string{`{"app":"checkout","tag":"1.1.0","status":"success"}`, `{"app":"cart","tag":"1.1.0","status":"failed"}`, `{"app":"no name","tag":"1","status":"success"}`} {
		if _, err := o.d.js.Publish(t.Context(), "ci.deploys.production", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	o.until("checkout", func(r steps.Rollout) bool { return r.Version == "1.1.0" })
	if l := o.letters(1)[0]; l.Reason != jetstream.Invalid || l.Subject != "ci.deploys.production" || !strings.Contains(l.Why, "is not a name") {
		t.Errorf("%+v", l)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-again.C {
		page := o.metrics()
		missing := ""
		for _, outcome := range []string{"published", "ignored", "refused"} {
			if want := `serin_input_messages_total{input="ci",outcome="` + outcome + `"} 1`; !strings.Contains(page, want) {
				missing = want
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", missing)
		}
	}
}

// metrics is the daemon's page of metrics.
func (o *ordered) metrics() string {
	o.t.Helper()
	answer, err := http.Get("http://" + o.d.listener.Addr().String() + "/metrics")
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(page)
}
