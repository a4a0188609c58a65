//go:build e2e && unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// rules of all policies: short windows, so that a step takes seconds. NAME is the label version.
const ruleText = `
defaults: {interval: 1s, window: 5s, for: 2s, min_samples: 20}
rules:
  - name: error-rate
    bad: http_requests_total{service="{{service}}",version="NAME",code=~"5.."}
    total: http_requests_total{service="{{service}}",version="NAME"}
    max: 5%
  - name: p95
    query: |
      histogram_quantile(0.95, sum by (le) (
        rate(http_request_duration_seconds_bucket{service="{{service}}",version="NAME"}[{{window}}])))
    max: 0.5
`

// policy is one for the checkout: who moves its traffic, and rules about the new version.
func policy(traffic string) string { return policyAbout(traffic, "{{version}}") }

// policyAbout is a policy whose rules look at one value of the label version.
func policyAbout(traffic, label string) string {
	return "service: checkout\ntraffic: " + traffic + `
steps: [{weight: 5, bake: 6s}, {weight: 25, bake: 6s}, {weight: 50, bake: 6s}, {weight: 100, bake: 6s}]
recovery: 10s
` + strings.ReplaceAll(ruleText, "NAME", label)
}

const byVersionFlag = "{version_flag: checkout-version}"

// world is everything around `serin serve`.
type world struct {
	nats     []string // arguments that lead a serin command to NATS
	js       natsjs.JetStream
	prom     *prometheus
	versions map[string]*version
	slack    *slack
	story    *story
	policy   string // path
	asks     string // where serve finds Prometheus
}

// newWorld starts a NATS server, versions of the service, and a Prometheus that scrapes them.
func newWorld(t *testing.T, policy string, versions ...string) *world {
	t.Helper()
	needs(t, "prometheus")
	w := emptyWorld(t, policy, versions...)
	url := startNATS(t)
	w.reach(t, url, token, "--nats", url, "--token-file", write(t, "token", "%s", token))
	return w
}

// emptyWorld has no NATS server. A version is its name, or NAME=LABEL where its metrics call it otherwise; PROMETHEUS in
// the policy becomes an address.
func emptyWorld(t *testing.T, policy string, versions ...string) *world {
	t.Helper()
	w := &world{versions: map[string]*version{}, slack: newSlack(t)}
	var targets []*version
	for _, version := range versions {
		name, label, labelled := strings.Cut(version, "=")
		if !labelled {
			label = name
		}
		w.versions[name] = startVersion(t, name, label)
		targets = append(targets, w.versions[name])
	}
	w.prom = startPrometheus(t, targets...)
	w.asks, w.policy = w.prom.url, write(t, "policy.yaml", "%s", strings.ReplaceAll(policy, "PROMETHEUS", w.prom.url))
	return w
}

func (w *world) reach(t *testing.T, url, token string, args ...string) {
	t.Helper()
	w.nats = args
	w.js = connect(t, url, token)
	w.story = newStory(w.js)
}

// daemon is a `serin serve`.
type daemon struct {
	*process
	http string
}

// serve runs `serin serve` and waits until it is ready.
func (w *world) serve(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{process: w.tryServe(t, args...)}
	d.http = "http://" + d.says(t, `msg=serving.* http=(\S+)`)
	eventually(t, patience, func() error {
		if status, body := d.readiness(); status != http.StatusOK {
			return fmt.Errorf("not ready: %d %s", status, body)
		}
		return nil
	})
	return d
}

func (w *world) tryServe(t *testing.T, args ...string) *process {
	t.Helper()
	args = append([]string{"serve", "--policies", w.policy, "--prometheus", w.asks, "--http", "127.0.0.1:0",
		"--slack-webhook-file", write(t, "slack", "%s", w.slack.url)}, args...)
	return serin(t, append(args, w.nats...)...)
}

// readiness is what /readyz says; 0 when nobody answers.
func (d *daemon) readiness() (status int, body string) {
	response, err := client.Get(d.http + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text := make([]byte, 100)
	n, _ := response.Body.Read(text)
	return response.StatusCode, strings.TrimSpace(string(text[:n]))
}

// run runs a serin command to its end.
func (w *world) run(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	p := serin(t, append(args, w.nats...)...)
	return p.exit(t, 2*time.Minute), p.out.String()
}

// do runs a serin command that must end well.
func (w *world) do(t *testing.T, args ...string) {
	t.Helper()
	if code, said := w.run(t, args...); code != 0 {
		t.Fatalf("serin %s: exit status %d: %s", strings.Join(args, " "), code, said)
	}
}

// result is the last line of `serin release --wait -o json`.
type result struct {
	Rollout, Outcome, Cause, Reason string
	Percent                         float64
	Exit                            int
}

// release is a `serin release --wait` under way.
func (w *world) release(t *testing.T, version string, args ...string) *process {
	t.Helper()
	args = append([]string{"release", "checkout", version, "--wait", "-o", "json"}, args...)
	return serin(t, append(args, w.nats...)...)
}

// ends waits for a release and checks its exit status and result. Any of the causes will do.
func ends(t *testing.T, p *process, code int, outcome string, causes ...string) result {
	t.Helper()
	got := p.exit(t, 2*time.Minute)
	var r result
	if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil {
		t.Fatalf("%s: %v in %s", p.name, err, p.out.String())
	}
	if got != code || r.Exit != code || r.Outcome != outcome || !slices.Contains(causes, r.Cause) {
		t.Fatalf("the release ended with status %d, %+v; want %d, %s %q", got, r, code, outcome, causes)
	}
	return r
}

// publish sends a message as a bare NATS client does, and waits until a stream has it.
func (w *world) publish(t *testing.T, subject, body string) {
	t.Helper()
	if _, err := w.js.Publish(t.Context(), subject, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// usersByFlag come to the versions that the flag gives them.
func (w *world) usersByFlag(t *testing.T) *users {
	t.Helper()
	return sendUsers(t, byFlag(t, w.js, "checkout-version", "1.0.0", w.versions))
}

// flag is a flag's text in the bucket.
func (w *world) flag(t *testing.T, key string) (fields struct {
	DefaultVariant string
	Targeting      map[string]any
}) {
	t.Helper()
	kv, err := w.js.KeyValue(t.Context(), "serin_flags")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), "production."+key)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(entry.Value(), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// flagServesAll checks that the flag gives one version to everybody.
func (w *world) flagServesAll(t *testing.T, version string) {
	t.Helper()
	if f := w.flag(t, "checkout-version"); f.DefaultVariant != version || len(f.Targeting) != 0 {
		t.Errorf("the flag is %+v, want %s for all", f, version)
	}
}

// scripts is the folder of the nginx example.
func scripts(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../deployments/examples/nginx")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// within is a context for one look at the world.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

type endpoint struct{ URL, Token string }

// readEndpoint is what the embedded server tells programs on its machine.
func readEndpoint(t *testing.T, dir string) (e endpoint) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "endpoint.json"))
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}
