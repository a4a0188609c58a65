package jetstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

// guardCluster starts three servers from the printed configuration. Connections go to them in turn.
func guardCluster(t *testing.T) (g guarded, urls []string) {
	t.Helper()
	var routes string
	var servers []*server.Server
	for i := range 3 {
		var opts *server.Options
		g, opts = guarding(t, Names{}, Scope{})
		opts.ServerName = fmt.Sprintf("n%d", i)
		opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT}
		if routes != "" {
			opts.Routes = server.RoutesFromStr(routes)
		} else {
			// A server of a cluster without any route would wait for one.
			opts.Routes = server.RoutesFromStr("nats://127.0.0.1:1")
		}
		srv := started(t, opts)
		soon(t, "the cluster's port", func() bool { return srv.ClusterAddr() != nil })
		if i == 0 {
			routes = "nats://" + srv.ClusterAddr().String()
		}
		servers = append(servers, srv)
	}
	soon(t, "a leader", func() bool {
		for _, s := range servers {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == 3
			}
		}
		return false
	})
	for _, s := range servers {
		if !s.ReadyForConnections(patience) {
			t.Fatal("a server does not start")
		}
		urls = append(urls, s.Addr().String())
	}
	g.url = urls[0]
	g.setUp(t, Layout{Partitions: 2, Replicas: 3})
	return g, urls
}

// soon looks again until something is so.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	give := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-give:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestRolesReachAcrossACluster(t *testing.T) {
	g, urls := guardCluster(t)
	at := func(i int, role string) *client {
		g.url = urls[i]
		return g.as(t, role)
	}
	heard := g.served(t) // on the first server
	ci, operator, viewer, app := at(1, "ci"), at(2, "operator"), at(1, "viewer"), at(2, "application")
	if _, _, err := PublishRelease(t.Context(), ci.js, Names{}, deployments.Release{Slot: checkout, Version: "1.2.0"}); err != nil {
		t.Fatal(err)
	}
	soon(t, "an answer across", func() bool {
		reply, err := (Client{Conn: operator.Conn}).Command(t.Context(), checkout, "approve", nil)
		return err == nil && reply.OK
	})
	if got := receive(t, heard); got != "cmd production/checkout approve by operator" {
		t.Errorf("heard %s", got)
	}
	if _, err := openJournal(t, g.admin.js).Append(t.Context(), journaltest.Entry(checkout, 1, 0)); err != nil {
		t.Fatal(err)
	}
	soon(t, "the slot", func() bool {
		all, err := (Reader{JS: viewer.js}).Slots(t.Context(), "")
		return err == nil && len(all) == 1
	})
	end := errors.New("enough")
	err := Events{JS: ci.js}.Follow(t.Context(), Filter{Slot: checkout}, 0, func(_ uint64, e deployments.Event) error {
		if e.Name == "" {
			msg, err := EncodeEvent(Names{}, deployments.Event{ID: "r/1/x", Name: "step.started", Subject: "event.production.checkout.step.started", Time: time.Now()})
			if err == nil {
				_, err = g.admin.js.PublishMsg(t.Context(), msg)
			}
			return err
		}
		return end
	})
	if !errors.Is(err, end) {
		t.Fatal(err)
	}
	g.flagReaches(t, app)
}

// flagReaches checks that an application hears of a flag that is written.
func (g guarded) flagReaches(t *testing.T, app *client) {
	t.Helper()
	js, err := jetstream.NewWithAPIPrefix(app.Conn, Names{}.API())
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "serin_flags")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w, err := kv.Watch(ctx, "production.>")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		for range w.Updates() {
		}
	}()
	if e := receive(t, w.Updates()); e != nil {
		t.Errorf("%s is there already", e.Key())
	}
	if _, err := g.admin.js.Publish(t.Context(), "$KV.serin_flags.production.checkout", []byte("on")); err != nil {
		t.Fatal(err)
	}
	if e := receive(t, w.Updates()); e == nil || e.Key() != "production.checkout" {
		t.Errorf("%v", e)
	}
}
