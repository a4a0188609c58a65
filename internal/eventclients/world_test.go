//go:build e2e

package eventclients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

const releases = "serin.release.production.checkout"

// world is a NATS server with Serin's streams, and its intake, which accepts everything.
type world struct {
	nc       *nats.Conn
	js       natsjs.JetStream
	accepted chan deployments.Release
}

func newWorld(t *testing.T) world {
	t.Helper()
	s, err := jetstream.Embed(t.Context(), jetstream.ServerOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown() })
	nc, err := s.Connect(t.Context(), jetstream.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := jetstream.Setup(t.Context(), js, jetstream.Layout{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	w := world{nc, js, make(chan deployments.Release, 1000)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- jetstream.Intake{JS: js}.Run(ctx, func(_ context.Context, r deployments.Release) error {
			w.accepted <- r
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return w
}

// settled waits until so many releases are accepted or dead letters, and returns both by the id of the message.
func (w world) settled(t *testing.T, n int) (map[string]deployments.Release, map[string]jetstream.Letter) {
	t.Helper()
	accepted, letters := map[string]deployments.Release{}, map[string]jetstream.Letter{}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); len(accepted)+len(letters) < n; <-again.C {
		for len(w.accepted) > 0 {
			r := <-w.accepted
			accepted[r.ID] = r
		}
		all, err := jetstream.DeadLetters{JS: w.js}.List(t.Context(), time.Now().Add(-time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if l.ID == "" {
				l.ID = strconv.FormatUint(l.Sequence, 10)
			}
			letters[l.ID] = l
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d accepted, %d dead letters of %d", len(accepted), len(letters), n)
		}
	}
	return accepted, letters
}

// events are those of a journal that is kept.
func events(t *testing.T) []deployments.Event {
	t.Helper()
	file, err := os.Open("../../deployments/testdata/journal.v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []deployments.Event
	prev := deployments.Entry{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e deployments.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		e.State.Release.Trace = deployments.NewTrace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1")
		all = append(all, deployments.Events(prev, e)...)
		prev = e
	}
	if len(all) < 10 {
		t.Fatalf("%d events", len(all))
	}
	return all
}

func same(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
