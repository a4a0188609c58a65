//go:build e2e && unix

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// startCluster runs three servers that know of each other, by name, and returns what leads clients to all of them.
func startCluster(t *testing.T) (servers map[string]*process, url string) {
	t.Helper()
	servers = map[string]*process{}
	var routes, urls []string
	for range 3 {
		routes = append(routes, freeAddress(t))
	}
	for i, at := range routes {
		name := fmt.Sprintf("n%d", i+1)
		config := write(t, "nats.conf", `
server_name: %s
host: "127.0.0.1"
port: -1
authorization {token: %q}
jetstream {store_dir: %q, sync_interval: always}
cluster {name: c, listen: %q, routes: ["nats://%s"]}
`, name, token, t.TempDir(), at, strings.Join(routes, `", "nats://`))
		servers[name] = start(t, "nats-server "+name, filepath.Join(bin, "nats-server"), "-c", config)
	}
	for _, p := range servers {
		urls = append(urls, "nats://"+p.says(t, `Listening for client connections on (\S+)`))
	}
	url = strings.Join(urls, ",")
	js := connect(t, url, token)
	eventually(t, patience, func() error {
		_, err := js.AccountInfo(within(t, time.Second))
		return err
	})
	return servers, url
}

// leader is the server that leads a stream, once all its replicas have what it has.
func (w *world) leader(t *testing.T, stream string) (name string) {
	t.Helper()
	eventually(t, patience, func() error {
		s, err := w.js.Stream(within(t, 2*time.Second), stream)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		if name = info.Cluster.Leader; name == "" || info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
			return fmt.Errorf("%s: %d replicas, led by %q, beside %d", stream, info.Config.Replicas, name, len(info.Cluster.Replicas))
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current {
				return fmt.Errorf("%s: %s lags behind", stream, r.Name)
			}
		}
		return nil
	})
	return name
}

func TestARolloutOutlivesTheServerThatLeadsTheJournal(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t, policy(byVersionFlag), "1.0.0", "1.1.0", "1.2.0")
	servers, url := startCluster(t)
	w.reach(t, url, token, "--nats", url, "--token-file", write(t, "token", "%s", token))
	w.do(t, "setup", "--replicas", "3")
	for _, stream := range []string{jetstream.ReleasesStream, jetstream.LeaseStream, jetstream.EventsStream, jetstream.DLQStream, jetstream.SummaryStream} {
		w.leader(t, jetstream.Names{}.Stream(stream))
	}
	for _, bucket := range []string{"KV_serin_flags", "KV_serin_policies"} {
		w.leader(t, bucket)
	}
	w.serve(t)
	w.serve(t)
	w.do(t, "flags", "set", "checkout-version", "1.0.0")
	w.usersByFlag(t)
	waits := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)
	servers[w.leader(t, "SERIN_JOURNAL")].kill(t)
	ends(t, waits, 0, "promoted", "")
	if diff := cmp.Diff([]float64{5, 25, 50, 100}, w.story.shares(t, "1.1.0")); diff != "" {
		t.Errorf("shares confirmed (-want +got):\n%s", diff)
	}

	w.versions["1.2.0"].fault(t, "errors=1")
	ends(t, w.release(t, "1.2.0"), 3, "restored", "rules")
	w.flagServesAll(t, "1.1.0")
	w.story.wellTold(t)
}
