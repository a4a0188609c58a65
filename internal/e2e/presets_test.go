//go:build e2e && unix

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/serin-cd/serin/analysis"
	promapi "github.com/serin-cd/serin/analysis/prometheus"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/lab/promlab"
	"github.com/serin-cd/serin/rules"
)

// TestThePresetForHAProxyReadsARealHAProxy sends requests through a real HAProxy to a release that fails every tenth of them.
func TestThePresetForHAProxyReadsARealHAProxy(t *testing.T) {
	var asked int
	release := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked%10 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(release.Close)
	front := startHAProxy(t, release.Listener.Addr().String())
	policies, findings := deployments.ParsePolicies("policy.yaml", []byte("service: checkout\ntraffic: {observe: true}\nrules:\n  - {uses: haproxy/error-rate, max: 5%}\n"))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	now := began
	store := promlab.NewStore(func() time.Time { return now }, 0)
	scraper := promlab.Scraper{Store: store, Targets: func() []promlab.Target { return []promlab.Target{{URL: front + "/metrics", Job: "haproxy"}} }, Now: func() time.Time { return now }}
	for range 9 { // two minutes, a scrape every fifteen seconds
		if _, err := scraper.Scrape(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			res, err := http.Get(front + "/")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		now = now.Add(15 * time.Second)
	}
	server := httptest.NewServer(promlab.NewAPI(store, func() time.Time { return now }))
	t.Cleanup(server.Close)
	client := &promapi.Client{Default: &analysis.Source{URL: server.URL}}
	t.Cleanup(func() { client.Close() })
	at := now.Add(-15 * time.Second)
	j := analysis.Analyst{Querier: client}.Measure(t.Context(), []analysis.Request{{Rule: policies[0].Rules[0],
		Vars: rules.Vars{Service: "checkout", Version: "1.1.0", Weight: 5}, Since: began.Add(-time.Minute), Inside: began.Add(-time.Minute)}}, at)[0]
	if j.Verdict != analysis.Unhealthy || j.Reading.Total == nil || float64(*j.Reading.Total) < 150 {
		t.Errorf("a tenth of 160 requests fails: %s, %s (%+v)", j.Verdict, j.Reason, j.Reading)
	}
}

// startHAProxy starts a HAProxy before one backend, named for the service and the version, and returns its URL. It also serves its metrics.
func startHAProxy(t *testing.T, backend string) string {
	t.Helper()
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("haproxy is not on the PATH")
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	text := fmt.Sprintf("defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 1s\n"+
		"frontend users\n bind fd@3\n http-request use-service prometheus-exporter if { path /metrics }\n default_backend checkout-1.1.0\n"+
		"backend checkout-1.1.0\n server one %s\n", backend)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-db", "-f", config)
	cmd.ExtraFiles = []*os.File{socket}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return "http://" + l.Addr().String()
}
