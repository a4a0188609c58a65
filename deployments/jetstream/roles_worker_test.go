package jetstream

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/journaltest"
)

func TestAWorkersRightsAreEnoughForAllItDoes(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	w := g.as(t, "worker")
	l := lab{nil, w.Conn, w.js}
	j := openJournal(t, w.js)
	slot := deployments.Slot{Environment: "production", Service: "checkout"}
	lived(t, j, slot, "a-1", "a-2")
	spoil(t, l, j, slot, 1) // read around
	lived(t, j, slot, "a-3")

	told := make(chan string, 100)
	background(t, func(ctx context.Context) error {
		return Events{JS: w.js}.Tell(ctx, "of-my_choice", func(_ context.Context, e deployments.Event) error {
			told <- e.Name
			return nil
		})
	})
	held := make(chan int, 10)
	background(t, func(ctx context.Context) error {
		return Leases{JS: w.js}.Hold(ctx, 2, func(ctx context.Context, p int) {
			held <- p
			<-ctx.Done()
		})
	})
	receive(t, held)
	settled(t, l) // dispatch and summaries
	equal(t, "swept", Swept{Rollouts: 2, Slots: 1}, sweepOnce(t, keeper(l, j)))
	if got := summariesOf(t, l, slot, 9); len(got) != 3 {
		t.Errorf("%d summaries", len(got))
	}
	background(t, func(ctx context.Context) error {
		return Presence{Conn: w.Conn}.Announce(ctx, func() Report { return Report{Name: "w1"} })
	})
	policies, err := OpenPolicies(t.Context(), w.js, Names{})
	if err != nil {
		t.Fatal(err)
	}
	if err := policies.Put(t.Context(), "sha256:0123456789", []byte("policy")); err != nil {
		t.Error(err)
	}
	offers, err := w.SubscribeSync("serin.offers.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Publish("serin.offers.production.checkout", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := offers.NextMsg(patience); err != nil {
		t.Error(err)
	}
	// The queue of a notifier begins when it is made, so the event comes later.
	await := time.After(patience)
	for heard := false; !heard; {
		event, err := EncodeEvent(Names{}, deployments.Event{ID: time.Now().String(), Name: "step.started", Subject: "event.production.checkout.step.started", Time: time.Now()})
		if err == nil {
			_, err = w.js.PublishMsg(t.Context(), event)
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-told:
			heard = true
		case <-time.After(50 * time.Millisecond):
		case <-await:
			t.Fatal("the notifier heard nothing")
		}
	}
	noted(t, w.js)
	g.durablesAreNamed(t)
	select {
	case got := <-w.refused:
		t.Errorf("the worker lacks rights: %s", got)
	default:
	}
}

// noted checks that the notifiers' memory can be written, read, listed and forgotten.
func noted(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	n, err := OpenNotebook(t.Context(), js, Names{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := n.Save(t.Context(), "waits.deploys.1", []byte("a"), 0)
	if err != nil || first == 0 {
		t.Fatalf("revision %d, %v", first, err)
	}
	if second, err := n.Save(t.Context(), "waits.deploys.1", []byte("b"), 0); err != nil || second != 0 {
		t.Errorf("made a second time: revision %d, %v", second, err)
	}
	if keys, err := n.Keys(t.Context(), "waits.deploys."); err != nil || len(keys) != 1 || keys[0] != "waits.deploys.1" {
		t.Errorf("keys %q, %v", keys, err)
	}
	if err := n.Forget(t.Context(), "waits.deploys.1", first); err != nil {
		t.Error(err)
	}
}

// durablesAreNamed checks that the worker's role names each durable consumer there is, and that nobody may delete it.
func (g guarded) durablesAreNamed(t *testing.T) {
	t.Helper()
	n := 0
	for _, p := range parts(Names{}) {
		s, err := g.admin.js.Stream(t.Context(), p.stream())
		if err != nil {
			t.Fatal(err)
		}
		for c := range s.ListConsumers(t.Context()).Info() {
			if c.Config.Durable == "" {
				continue
			}
			n++
			next := "$JS.API.CONSUMER.MSG.NEXT." + p.stream() + "." + c.Name
			if !g.roles["worker"].may(next) {
				t.Errorf("the worker's role does not name %s of %s", c.Name, p.stream())
			}
			remove := "$JS.API.CONSUMER.DELETE." + p.stream() + "." + c.Name
			if w := g.roles["worker"]; w.may(remove) && !slices.Contains(w.Deny, remove) {
				t.Errorf("the worker may delete %s of %s", c.Name, p.stream())
			}
		}
	}
	if want := len(journalReaders) + 1 + 2; n != want {
		t.Errorf("%d durable consumers, want %d", n, want)
	}
}

func TestAViewerReadsEverythingWithoutARightToAnyStream(t *testing.T) {
	g := guard(t, Names{}, Scope{})
	g.served(t)
	viewer := g.as(t, "viewer")
	for _, subject := range g.roles["viewer"].Publish {
		if strings.HasPrefix(subject, "$JS") {
			t.Errorf("a viewer may publish to %s", subject)
		}
	}
	j := openJournal(t, g.admin.js)
	for p := range 2 {
		for _, slot := range journaltest.Slots(p, 40) {
			live(t, j, slot, slot.Service)
		}
	}
	r := Reader{JS: viewer.js}
	if all, err := r.Slots(t.Context(), ""); err != nil || len(all) != 80 {
		t.Errorf("%d slots, %v", len(all), err)
	}
	if none, err := r.Slots(t.Context(), "staging"); err != nil || len(none) != 0 {
		t.Errorf("%d slots of another environment, %v", len(none), err)
	}
	slot := journaltest.Slots(0, 1)[0]
	if e, err := r.Last(t.Context(), slot); err != nil || rolloutOf(e) != slot.Service {
		t.Errorf("%+v, %v", e, err)
	}
	if h, err := r.History(t.Context(), slot, 5); err != nil || len(h) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := r.HistorySince(t.Context(), slot, time.Time{}); err != nil || len(h) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	background(t, func(ctx context.Context) error {
		return Presence{Conn: g.as(t, "worker").Conn}.Announce(ctx, func() Report { return Report{Name: "w1"} })
	})
	if found, err := (Presence{Conn: viewer.Conn}).Gather(t.Context(), 1500*time.Millisecond); err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	select {
	case got := <-viewer.refused:
		t.Errorf("the viewer lacks rights: %s", got)
	default:
	}
}

func TestPagesEndAndLoseNothing(t *testing.T) {
	l := newLab(t)
	stop := serve(t, l, Handlers{})
	slot := journaltest.Slots(1, 1)[0]
	j := openJournal(t, l.js)
	slots := journaltest.Slots(3, 30)
	for _, s := range slots {
		e := journaltest.Entry(s, 1, 0)
		e.Note = strings.Repeat("x", 64<<10)
		if _, err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := (Reader{JS: l.js}).Slots(t.Context(), "production"); err != nil || len(all) != len(slots) {
		t.Errorf("%d of %d slots, %v", len(all), len(slots), err)
	}
	const n = 3*pageMessages + 7
	for i := range n {
		data, err := json.Marshal(deployments.EventData{Service: slot.Service, Environment: slot.Environment, Rev: uint64(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		msg := attributes{"specversion": "1.0", "id": "id", "type": "io.serin.step.started.v1", "source": "s", "time": time.Now().UTC().Format(time.RFC3339Nano)}.
			binary("serin.event."+slot.Subject()+".step.started", data)
		if _, err := l.js.PublishMsgAsync(msg, jetstream.WithMsgID(time.Now().String())); err != nil {
			t.Fatal(err)
		}
	}
	<-l.js.PublishAsyncComplete()
	heard := follow(t, l, Filter{Slot: slot}, 0)
	for rev := uint64(1); rev <= n; rev++ {
		if e := receive(t, heard); e.Data.Rev != rev {
			t.Fatalf("rev %d, want %d", e.Data.Rev, rev)
		}
	}
	if e := receive(t, heard); e.Name != "" {
		t.Errorf("%s comes before the end of what is stored", e.Name)
	}
	// A worker that goes away delays what is followed, and another one goes on.
	stop()
	msg := attributes{"id": "last", "type": "io.serin.step.started.v1", "time": time.Now().UTC().Format(time.RFC3339Nano)}.
		binary("serin.event."+slot.Subject()+".step.started", []byte(`{"rev":9999}`))
	if _, err := l.js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	serve(t, l, Handlers{})
	if e := receive(t, heard); e.Data.Rev != 9999 {
		t.Errorf("rev %d", e.Data.Rev)
	}
}

func TestARefusedReleaseIsToldToWhoReleasedIt(t *testing.T) {
	g := guard(t, Names{}, Scope{Environment: "production", Service: "checkout"})
	w, ci := g.as(t, "worker"), g.as(t, "ci")
	refused, err := ci.SubscribeSync("serin.refused.production.checkout")
	if err != nil || ci.Flush() != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error {
		return Intake{JS: w.js}.Run(ctx, func(context.Context, deployments.Release) error { return refuse("busy", "not now") })
	})
	if _, _, err := PublishRelease(t.Context(), ci.js, Names{}, deployments.Release{Slot: checkout, ID: "r-1", Version: "1.2.0"}); err != nil {
		t.Fatal(err)
	}
	msg, err := refused.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if msg.Header.Get(HeaderID) != "r-1" || !strings.Contains(msg.Header.Get(HeaderReason), "not%20now") {
		t.Errorf("told %v", msg.Header)
	}
}
