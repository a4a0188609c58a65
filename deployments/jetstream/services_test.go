package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// serve runs a worker's handlers and returns when they are heard.
func serve(t *testing.T, l lab, h Handlers) (stop func()) {
	t.Helper()
	nc, _ := connect(t, l.Server)
	ready := make(chan struct{})
	stop = background(t, func(ctx context.Context) error {
		return Serve(ctx, nc, Names{}, h, testLog(t), func() { close(ready) })
	})
	receive(t, ready)
	return stop
}

func TestOneWorkerAnswersACommand(t *testing.T) {
	l := newLab(t)
	heard := make(chan string, 10)
	for i := range 3 {
		serve(t, l, Handlers{Command: func(_ context.Context, r Request) Reply {
			heard <- fmt.Sprintf("%s %s %s", r.Slot, r.Verb, r.Data)
			if r.Verb == "promote" {
				return Refused(deployments.Refuse("not_live", fmt.Errorf("worker %d: there is no rollout", i)))
			}
			return Reply{OK: true, State: []byte(`{"paused":true}`)}
		}})
	}
	c := Client{Conn: l.nc}
	reply, err := c.Command(t.Context(), checkout, "pause", map[string]string{"by": "ana"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Reply{OK: true, State: []byte(`{"paused":true}`)}, reply); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if got, want := receive(t, heard), `production/checkout pause {"by":"ana"}`; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	if reply, err = c.Command(t.Context(), checkout, "promote", nil); err != nil || reply.OK || reply.Reason != "not_live" || reply.Error == "" {
		t.Errorf("%+v, %v, want a refusal", reply, err)
	}
	receive(t, heard)
	if n := len(heard); n != 0 {
		t.Errorf("%d other workers heard a command too", n)
	}
}

func TestOnlyTheOwnerAnswersAQuestion(t *testing.T) {
	l := newLab(t)
	for i := range 3 {
		serve(t, l, Handlers{Ask: func(_ context.Context, r Request) (Reply, bool) {
			return Reply{OK: true, State: fmt.Appendf(nil, "%d", i)}, i == 1 && r.Slot == checkout
		}})
	}
	c := Client{Conn: l.nc}
	if reply, err := c.Ask(t.Context(), checkout, nil); err != nil || string(reply.State) != "1" {
		t.Errorf("%+v, %v, want the answer of worker 1", reply, err)
	}
	c.Timeout = 100 * time.Millisecond
	other := deployments.Slot{Environment: "production", Service: "cart"}
	if _, err := c.Ask(t.Context(), other, nil); !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), "no worker holds") {
		t.Errorf("a slot that nobody owns: %v, want ErrNobody", err)
	}
}

func TestWithoutWorkersNobodyAnswers(t *testing.T) {
	l := newLab(t)
	stop := serve(t, l, Handlers{Command: func(context.Context, Request) Reply { return Reply{OK: true} }})
	stop()
	if _, err := (Client{Conn: l.nc}).Command(t.Context(), checkout, "abort", nil); !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), "is serin serve running?") {
		t.Errorf("command: %v, want ErrNobody and a hint", err)
	}
}

func TestOrdersThatNobodyWaitsForAreIgnored(t *testing.T) {
	l := newLab(t)
	heard := make(chan string, 3)
	serve(t, l, Handlers{Ack: func(_ context.Context, r Request) Reply {
		heard <- string(r.Data)
		return Reply{OK: true}
	}})
	for _, msg := range []nats.Msg{
		{Reply: "$JS.ACK.SERIN_EVENTS.c.1.1.1.1.0"}, {Header: nats.Header{"Nats-Stream": {"SERIN_EVENTS"}}},
	} {
		msg.Subject, msg.Data = "serin.ack.production.checkout", []byte("reflected")
		if err := l.nc.PublishMsg(&msg); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := (Client{Conn: l.nc}).Ack(t.Context(), checkout, "requested"); err != nil || !reply.OK {
		t.Errorf("%+v, %v", reply, err)
	}
	if got := receive(t, heard); got != `"requested"` || len(heard) != 0 {
		t.Errorf("heard %s first, %d more", got, len(heard))
	}
}

func TestAcknowledgementsNeedNoReply(t *testing.T) {
	l := newLab(t)
	heard := make(chan string, 1)
	serve(t, l, Handlers{Ack: func(_ context.Context, r Request) Reply {
		heard <- string(r.Data)
		return Reply{OK: true}
	}})
	if err := l.nc.Publish("serin.ack.production.checkout", []byte("published")); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, heard); got != "published" {
		t.Errorf("heard %s", got)
	}
}

func TestBadRequestsAreRefusedBeforeTheHandler(t *testing.T) {
	l := newLab(t)
	serve(t, l, Handlers{Ack: func(context.Context, Request) Reply {
		t.Error("the handler was called")
		return Reply{}
	}})
	for reason, send := range map[string]func() ([]byte, error){
		BadName: func() ([]byte, error) {
			msg, err := l.nc.Request("serin.ack.production.check€out", nil, patience)
			return msg.Data, err
		},
		TooLarge: func() ([]byte, error) {
			msg, err := l.nc.Request("serin.ack.production.checkout", make([]byte, maxRequest+1), patience)
			return msg.Data, err
		},
	} {
		if data, err := send(); err != nil || !strings.Contains(string(data), `"reason":"`+reason+`"`) {
			t.Errorf("%s: %s, %v", reason, data, err)
		}
	}
}
