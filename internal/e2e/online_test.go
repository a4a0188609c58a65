//go:build e2e && unix

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAFirstPolicyFitsWhatPrometheusHas writes a policy from a real Prometheus, holds it against that, and then one with
// faults that only the server's own knowledge shows: a gauge by its metadata, and a window by its scrapes.
func TestAFirstPolicyFitsWhatPrometheusHas(t *testing.T) {
	t.Parallel()
	needs(t, "prometheus")
	versions := []*version{startVersion(t, "stable", "1.4.1"), startVersion(t, "canary", "1.4.2")}
	gauge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE queue_length gauge\nqueue_length 3\n")
	}))
	t.Cleanup(gauge.Close)
	prom := startPrometheus(t, append(versions, &version{url: gauge.URL})...)
	eventually(t, patience, func() error {
		for _, v := range versions {
			r, err := client.Get(v.url)
			if err != nil {
				return err
			}
			if r.Body.Close(); r.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answered %s", v.name, r.Status)
			}
		}
		seen, _, err := prom.query(`count(sum by (version) (increase(http_requests_total[1m])) > 0)`, time.Time{})
		if err == nil && seen != 2 {
			err = fmt.Errorf("prometheus has seen requests of %v versions", seen)
		}
		return err
	})

	file := filepath.Join(t.TempDir(), "checkout.yaml")
	endsSaying(t, serin(t, "init", "--service", "checkout", "--from-prometheus", prom.url, file), 0, "wrote ")
	endsSaying(t, serin(t, "check", "--online", file), 0, `with version "1.4.`, "error-rate: ", "p95: ", "no errors, 0 warnings")

	faults := write(t, "faults.yaml", `service: checkout
prometheus: %s
traffic: {version_flag: checkout-version}
rules:
  - name: gauge
    query: sum(rate(queue_length{job="checkout"}[{{window}}]))
    max: 1
  - name: short
    window: 1s
    query: sum(rate(http_requests_total{version="{{version}}"}[{{window}}]))
    max: 1
  - name: misspelt
    query: sum(rate(http_request_total{version="{{version}}"}[{{window}}]))
    max: 1
`, prom.url)
	endsSaying(t, serin(t, "check", "--online", faults), 0, "queue_length is a gauge, and rate takes",
		":9:13: warning: rules[1].window: 1s of http_requests_total is often without two samples: they are 1s apart", "write `window: 4s`",
		":13:21: warning: ", `did you mean "http_requests_total"?`)
}

// endsSaying waits for the end of a command, with an exit status and all of some texts.
func endsSaying(t *testing.T, p *process, status int, texts ...string) {
	t.Helper()
	if got := p.exit(t, patience); got != status {
		t.Errorf("%s: exit status %d, want %d", p.name, got, status)
	}
	for _, text := range texts {
		if !strings.Contains(p.out.String(), text) {
			t.Errorf("%s does not say %q:\n%s", p.name, text, p.out.String())
		}
	}
}
