//go:build e2e && unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const token = "the-token-of-this-test"

// startNATS runs the nats-server of our go.mod and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	config := write(t, "nats.conf", `
host: "127.0.0.1"
port: -1
authorization {token: %q}
jetstream {store_dir: %q, sync_interval: always}
`, token, t.TempDir())
	p := start(t, "nats-server", filepath.Join(bin, "nats-server"), "-c", config)
	address := p.says(t, `Listening for client connections on (\S+)`)
	p.says(t, `(Server is ready)`)
	return "nats://" + address
}

// connect is the test's own client.
func connect(t *testing.T, url, token string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.Token(token), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// prometheus is a real one that scrapes every second.
type prometheus struct {
	*process
	url          string
	config, data string // paths
	targets      int
}

func startPrometheus(t *testing.T, targets ...*version) *prometheus {
	t.Helper()
	var hosts []string
	for _, v := range targets {
		hosts = append(hosts, strings.TrimPrefix(v.url, "http://"))
	}
	list, err := json.Marshal(hosts)
	if err != nil {
		t.Fatal(err)
	}
	p := &prometheus{data: t.TempDir(), targets: len(targets), config: write(t, "prometheus.yml", `
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
  - job_name: checkout
    static_configs: [{targets: %s}]
`, list)}
	p.run(t, "127.0.0.1:0")
	return p
}

// run starts the server, or starts it again on what it has stored, and waits for its first scrapes.
func (p *prometheus) run(t *testing.T, listen string) {
	t.Helper()
	p.process = start(t, "prometheus", needs(t, "prometheus"), "--config.file="+p.config, "--storage.tsdb.path="+p.data, "--web.listen-address="+listen)
	p.url = "http://" + p.says(t, `msg="Listening on" address=(\S+)`)
	eventually(t, patience, func() error {
		up, _, err := p.query("count(up == 1)", time.Time{})
		if err == nil && up != float64(p.targets) {
			err = fmt.Errorf("prometheus has scraped %v targets of %d", up, p.targets)
		}
		return err
	})
}

// query asks for one number at an instant, the zero time for now; false: the answer is empty.
func (p *prometheus) query(expr string, at time.Time) (value float64, ok bool, err error) {
	form := url.Values{"query": {expr}}
	if !at.IsZero() {
		form.Set("time", at.UTC().Format(time.RFC3339Nano))
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := get(p.url+"/api/v1/query?"+form.Encode(), &answer); err != nil {
		return 0, false, err
	}
	if answer.Status != "success" || len(answer.Data.Result) > 1 {
		return 0, false, fmt.Errorf("ask prometheus %s: %s, %d series: %s", expr, answer.Status, len(answer.Data.Result), answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return 0, false, nil
	}
	_, err = fmt.Sscan(fmt.Sprint(answer.Data.Result[0].Value[1]), &value)
	return value, err == nil, err
}

var client = &http.Client{Timeout: 10 * time.Second}

// get reads a page of JSON.
func get(url string, into any) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	return json.NewDecoder(r.Body).Decode(into)
}

// version is one running version of the simulated service.
type version struct {
	*process
	name, url string
}

// startVersion runs a version; label is what its metrics call it.
func startVersion(t *testing.T, name, label string) *version {
	t.Helper()
	p := start(t, "version "+name, filepath.Join(bin, "service"), "-version", label)
	return &version{process: p, name: name, url: "http://" + p.says(t, `listening on (\S+)`)}
}

// fault makes the version do badly from now on: errors=0.3, latency=1s.
func (v *version) fault(t *testing.T, what string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, v.url+"/fault?"+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("set the fault: %s", response.Status)
	}
}

// freeAddress is one that nobody listens on now, for servers that must come back on the same one.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
