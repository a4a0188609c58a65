//go:build e2e && unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
)

// deployer is a user's own: it moves traffic when an event asks for it.
type deployer struct {
	share atomic.Uint32 // percent of users who get the new version
	asked chan request
}

// request is what a deployer reads of a traffic.requested event.
type request struct {
	Rollout string
	Seq     uint64
	Percent float64
}

func newDeployer(t *testing.T, w *world) *deployer {
	t.Helper()
	d := &deployer{asked: make(chan request, 10)}
	_, err := w.js.Conn().Subscribe("serin.event.production.checkout.traffic.requested", func(m *nats.Msg) {
		var r request
		if json.Unmarshal(m.Data, &r) == nil {
			d.asked <- r
		}
	})
	if err == nil {
		err = w.js.Conn().Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployer) route(stable, canary *version) route {
	return func(_ context.Context, user string) (string, string) {
		h := fnv.New32a()
		_, _ = h.Write([]byte(user))
		if h.Sum32()%100 < d.share.Load() {
			return canary.url, canary.name
		}
		return stable.url, stable.name
	}
}

// next is the next request, which must be for a share.
func (d *deployer) next(t *testing.T, percent float64) request {
	t.Helper()
	select {
	case r := <-d.asked:
		if r.Percent != percent {
			t.Fatalf("asked for %v %%, want %v", r.Percent, percent)
		}
		return r
	case <-time.After(patience):
		t.Fatalf("nobody asks for %v %%", percent)
		return request{}
	}
}

// move does what a request asks for, and acknowledges it.
func (d *deployer) move(t *testing.T, w *world, r request) {
	t.Helper()
	d.share.Store(uint32(r.Percent))
	if code, said := w.ack(t, r); code != 0 {
		t.Fatalf("the acknowledgement of %+v ends with status %d: %s", r, code, said)
	}
}

func (w *world) ack(t *testing.T, r request) (code int, said string) {
	t.Helper()
	return w.run(t, "ack", "checkout", "--rollout", r.Rollout, "--seq", strconv.FormatUint(r.Seq, 10), "--percent", fmt.Sprint(r.Percent), "--by", "deployer")
}

func TestADeployerIsAskedByEventsAndOnlyItsOwnAnswersCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, policy("{event: deployer}\nfirst_release: allow"), "1.0.0", "1.1.0")
	w.serve(t)
	d := newDeployer(t, w)
	users := sendUsers(t, d.route(w.versions["1.0.0"], w.versions["1.1.0"]))
	waits := w.release(t, "1.1.0")
	first := d.next(t, 5)
	d.move(t, w, first)

	r := d.next(t, 25)
	for name, forged := range map[string]request{
		"stale":            {first.Rollout, first.Seq, first.Percent},
		"stale seq":        {r.Rollout, first.Seq, r.Percent},
		"another rollout":  {"checkout-1.1.0-00000000", r.Seq, r.Percent},
		"another share":    {r.Rollout, r.Seq, 50},
		"a seq to come":    {r.Rollout, r.Seq + 1, r.Percent},
		"no share at all":  {r.Rollout, r.Seq, -1},
		"beyond all users": {r.Rollout, r.Seq, 101},
	} {
		if code, said := w.ack(t, forged); code != 1 || !strings.Contains(said, "refused") {
			t.Errorf("%s: status %d: %s", name, code, said)
		}
	}
	if shares := w.story.shares(t, "1.1.0"); !cmp.Equal(shares, []float64{5}) {
		t.Errorf("shares %v are confirmed, want 5 alone", shares)
	}
	d.move(t, w, r)
	d.move(t, w, d.next(t, 50))

	w.versions["1.1.0"].fault(t, "errors=1")
	back := d.next(t, 0)
	if len(w.story.named(t, "1.1.0", "rollback.completed")) > 0 {
		t.Error("the rollback is told complete before the deployer has answered")
	}
	d.move(t, w, back)
	ends(t, waits, 3, "restored", "rules")
	off := w.story.one(t, "1.1.0", "rollback.completed").Time
	if all, there := users.between(off, time.Now(), "1.1.0"); there > 0 || all == 0 {
		t.Errorf("after the confirmed switch %d of %d requests reached the new version", there, all)
	}
}

// nginx is a real one that runs the example's files, on free ports.
type nginx struct {
	url     string
	traffic string // of a policy that moves it
}

func startNginx(t *testing.T, stable, canary *version) *nginx {
	t.Helper()
	binary := needs(t, "nginx")
	dir := t.TempDir()
	front, status := freeAddress(t), freeAddress(t)
	split := filepath.Join(dir, "checkout.split")
	files := map[string]string{
		"checkout.split": example(t, "checkout.split"),
		"nginx.conf": "daemon off; pid nginx.pid; error_log error.log; worker_processes 2;\n" +
			"events { worker_connections 512; }\nhttp { access_log off;\n" +
			strings.NewReplacer("server 127.0.0.1:8081", "server "+strings.TrimPrefix(stable.url, "http://"),
				"server 127.0.0.1:8082", "server "+strings.TrimPrefix(canary.url, "http://"),
				"listen 80", "listen "+front, "listen 127.0.0.1:8089", "listen "+status,
				"/etc/nginx/serin/checkout.split", split).Replace(example(t, "checkout.conf")) + "\n}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := []string{binary, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")}
	p := start(t, "nginx", run...)
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // its workers have a group of their own where it is root
		p.exit(t, patience)
	})
	n := &nginx{url: "http://" + front}
	eventually(t, patience, func() error {
		response, err := client.Get(n.url)
		if err == nil {
			err = response.Body.Close()
		}
		return err
	})
	words := func(argv ...string) string {
		text, err := json.Marshal(argv)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	set := append([]string{filepath.Join(scripts(t), "set-weight.sh"), "{{percent}}", split}, run...)
	n.traffic = fmt.Sprintf("{exec: {set: %s, read: %s}}", words(set...),
		words(filepath.Join(scripts(t), "read-weight.sh"), "http://"+status+"/weight/checkout"))
	return n
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(scripts(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newNginxWorld has users who come through nginx.
func newNginxWorld(t *testing.T) (*world, *users) {
	t.Helper()
	needs(t, "nginx")
	w := newWorld(t, "", "1.0.0", "1.1.0")
	n := startNginx(t, w.versions["1.0.0"], w.versions["1.1.0"])
	w.policy = write(t, "policy.yaml", "%s", policy(n.traffic))
	w.serve(t)
	return w, sendUsers(t, func(context.Context, string) (string, string) { return n.url, "" })
}

func TestAReleaseGoesThroughNginx(t *testing.T) {
	t.Parallel()
	w, users := newNginxWorld(t)
	ends(t, w.release(t, "1.1.0"), 0, "promoted", "")
	if diff := cmp.Diff([]float64{5, 25, 50, 100}, w.story.shares(t, "1.1.0")); diff != "" {
		t.Errorf("shares confirmed (-want +got):\n%s", diff)
	}
	confirmed := w.story.named(t, "1.1.0", "traffic.confirmed")
	for i, e := range confirmed {
		until := time.Now()
		if i+1 < len(confirmed) {
			until = w.story.named(t, "1.1.0", "traffic.requested")[i+1].Time
		}
		all, there := users.between(e.Time, until, "1.1.0")
		got := 100 * float64(there) / float64(max(all, 1))
		t.Logf("at %v %% nginx sent %.1f %% of %d requests to the new version", e.Data.Confirmed, got, all)
		p := e.Data.Confirmed / 100
		spread := 100 * math.Sqrt(p*(1-p)/float64(max(all, 1))) // of a share among so many users
		if math.Abs(got-e.Data.Confirmed) > 4*spread {
			t.Errorf("at %v %% nginx sent %.1f %% of %d requests to the new version", e.Data.Confirmed, got, all)
		}
	}
}

func TestABadReleaseIsTakenOutOfNginx(t *testing.T) {
	t.Parallel()
	w, users := newNginxWorld(t)
	bad := w.release(t, "1.1.0")
	w.story.await(t, patience, "1.1.0", "traffic.confirmed", 25)
	w.versions["1.1.0"].fault(t, "errors=0.5")
	ends(t, bad, 3, "restored", "rules")
	off := w.story.one(t, "1.1.0", "rollback.completed").Time
	if all, there := users.between(off, time.Now(), "1.1.0"); there > 0 || all == 0 {
		t.Errorf("after the confirmed switch %d of %d requests reached the new version", there, all)
	}
}
