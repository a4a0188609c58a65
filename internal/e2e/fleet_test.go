//go:build e2e && unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// fleet is how many services are released at once.
const fleet = 50

// member is the name of one of them.
func member(i int) string { return fmt.Sprintf("svc-%02d", i) }

// fleetPolicies are those of the fleet. All its services are measured by the series of the checkout.
func fleetPolicies() string {
	var docs []string
	for i := range fleet {
		docs = append(docs, fmt.Sprintf("service: %s\ntraffic: {version_flag: %s-version}\nsteps: [{weight: 5, bake: 15s}, {weight: 50, bake: 8s}, {weight: 100, bake: 8s}]\nrecovery: 10s\n",
			member(i), member(i))+strings.NewReplacer("NAME", "{{version}}", "{{service}}", "checkout").Replace(ruleText))
	}
	return strings.Join(docs, "---\n")
}

// stock gives every service of the fleet its flag.
func (w *world) stock(t *testing.T) {
	t.Helper()
	kv, err := w.js.KeyValue(t.Context(), "serin_flags")
	if err != nil {
		t.Fatal(err)
	}
	for i := range fleet {
		flag := `{"state":"ENABLED","variants":{"1.0.0":"1.0.0"},"defaultVariant":"1.0.0","targeting":{}}`
		if _, err := kv.PutString(t.Context(), "production."+member(i)+"-version", flag); err != nil {
			t.Fatal(err)
		}
	}
}

// depart releases a version of every service, but of the last one another, and waits until all are exposed.
func (w *world) depart(t *testing.T, version, ofTheLast string) {
	t.Helper()
	for i := range fleet {
		if i == fleet-1 {
			version = ofTheLast
		}
		w.publish(t, "serin.release.production."+member(i), fmt.Sprintf(`{"version":%q}`, version))
	}
	w.awaitAll(t, fleet, func(e event) bool { return e.Name == "traffic.confirmed" && e.Data.Percent == 5 })
}

// awaitAll waits for n events.
func (w *world) awaitAll(t *testing.T, n int, wanted func(event) bool) {
	t.Helper()
	eventually(t, 3*time.Minute, func() error {
		found := 0
		for _, e := range w.story.told(t) {
			if wanted(e) {
				found++
			}
		}
		if found < n {
			return fmt.Errorf("%d of %d; told was:\n%s", found, n, w.story.text(t))
		}
		return nil
	})
}

// unbroken checks that every slot of the fleet had one rollout, whose entries follow one another.
func (s *story) unbroken(t *testing.T) {
	t.Helper()
	last := map[deployments.Slot]deployments.Entry{}
	for _, m := range s.journal.read(t) {
		var e deployments.Entry
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		before, ok := last[e.Slot]
		if e.Rev != before.Rev+1 || e.After != before.Sequence || ok && e.Rollout != before.Rollout {
			t.Errorf("%s: revision %d of %s follows revision %d of %s", e.Slot, e.Rev, e.Rollout, before.Rev, before.Rollout)
		}
		e.Sequence = m.Sequence
		last[e.Slot] = e
	}
	if len(last) != fleet {
		t.Errorf("%d slots, want %d", len(last), fleet)
	}
}

// metric is a number on the daemon's /metrics.
func (d *daemon) metric(t *testing.T, name string) float64 {
	t.Helper()
	response, err := client.Get(d.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[name].GetMetric() {
		return m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// holds waits until the daemon holds so many partitions, and has read what is in them.
func (d *daemon) holds(t *testing.T, partitions float64) {
	t.Helper()
	eventually(t, patience, func() error {
		before := d.metric(t, "go_goroutines")
		if n := d.metric(t, "serin_partitions"); n != partitions {
			return fmt.Errorf("it holds %v partitions, want %v", n, partitions)
		}
		<-time.After(time.Second)
		if now := d.metric(t, "go_goroutines"); now != before {
			return fmt.Errorf("it has %v goroutines, and %v a second before", now, before)
		}
		return nil
	})
}

func TestAMinuteWithoutNATSLosesNothingAndRollsNothingBack(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		begin func(t *testing.T, p *process)
		end   func(t *testing.T, p *process, again func() *process)
	}{
		"it hangs": {
			begin: func(t *testing.T, p *process) { p.signal(t, syscall.SIGSTOP) },
			end:   func(t *testing.T, p *process, _ func() *process) { p.signal(t, syscall.SIGCONT) },
		},
		"it is gone": {
			begin: func(t *testing.T, p *process) { p.kill(t) },
			end:   func(_ *testing.T, _ *process, again func() *process) { again() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := emptyWorld(t, fleetPolicies(), "1.0.0", "1.1.0", "1.2.0")
			config := write(t, "nats.conf", "listen: %q\nauthorization {token: %q}\njetstream {store_dir: %q, sync_interval: always}\n", freeAddress(t), token, t.TempDir())
			again := func() *process {
				p := start(t, "nats-server", filepath.Join(bin, "nats-server"), "-c", config)
				p.says(t, `(Server is ready)`)
				return p
			}
			server := again()
			url := "nats://" + server.says(t, `Listening for client connections on (\S+)`)
			w.reach(t, url, token, "--nats", url, "--token-file", write(t, "token", "%s", token))
			d := w.serve(t)
			w.stock(t)
			sendUsers(t, w.everywhere())
			d.holds(t, jetstream.SetupPartitions)
			goroutines, memory := d.metric(t, "go_goroutines"), d.metric(t, "go_memstats_heap_inuse_bytes")
			w.depart(t, "1.1.0", "1.2.0")

			outage.begin(t, server)
			began := time.Now()
			w.versions["1.2.0"].fault(t, "errors=1")
			eventually(t, patience, func() error {
				if status, body := d.readiness(); status != http.StatusServiceUnavailable || body != "NATS is away" {
					return fmt.Errorf("/readyz says %d %s", status, body)
				}
				return nil
			})
			t.Logf("/readyz said so after %v", time.Since(began).Round(time.Second/10))
			eventually(t, patience, func() error {
				if n := d.metric(t, "serin_partitions"); n != 0 {
					return fmt.Errorf("it holds %v partitions", n)
				}
				return nil
			})
			t.Logf("it held no partition after %v", time.Since(began).Round(time.Second/10))
			if code, said := w.run(t, "status"); code != 10 {
				t.Errorf("serin status: %d %s", code, said)
			}
			<-time.After(time.Minute - time.Since(began))
			outage.end(t, server, again)
			back := time.Now()

			w.awaitAll(t, fleet, func(e event) bool { return e.Name == "rollout.promoted" || e.Name == "rollout.restored" })
			failed := w.story.one(t, "1.2.0", "rollout.failed")
			if failed.Time.Before(back) || len(w.story.named(t, "1.1.0", "rollout.promoted")) != fleet-1 {
				t.Errorf("failed %v after NATS was back, promoted %d of %d", failed.Time.Sub(back), len(w.story.named(t, "1.1.0", "rollout.promoted")), fleet-1)
			}
			t.Logf("the bad one was turned back %v after NATS was back", failed.Time.Sub(back).Round(time.Second/10))
			w.story.unbroken(t)
			w.story.wellTold(t)
			d.holds(t, jetstream.SetupPartitions)
			eventually(t, patience, func() error {
				if n := d.metric(t, "go_goroutines"); n > goroutines+40 { // connections to Prometheus, kept for a while
					return fmt.Errorf("%v goroutines, %v before the rollouts", n, goroutines)
				}
				return nil
			})
			t.Logf("goroutines %v, then %v; heap %v MB, then %v", goroutines, d.metric(t, "go_goroutines"), int(memory)>>20, int(d.metric(t, "go_memstats_heap_inuse_bytes"))>>20)
		})
	}
}

// everywhere sends users to all versions alike, whatever the flags say.
func (w *world) everywhere() route {
	names := slices.Sorted(maps.Keys(w.versions))
	var n atomic.Int64
	return func(context.Context, string) (string, string) {
		name := names[int(n.Add(1))%len(names)]
		return w.versions[name].url, name
	}
}
