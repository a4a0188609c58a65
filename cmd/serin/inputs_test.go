package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

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
	answer, err := http.Get("http://" + o.d.listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, outcome := range []string{"published", "ignored", "refused"} {
		if want := `serin_input_messages_total{input="ci",outcome="` + outcome + `"} 1`; !strings.Contains(string(page), want) {
			t.Errorf("no %s", want)
		}
	}
}
