//go:build e2e

package eventclients

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	cejs "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
)

// hold holds an event as the SDK reads it against the one that was published.
func hold(t *testing.T, want deployments.Event, got cloudevents.Event) {
	t.Helper()
	if err := got.Validate(); err != nil {
		t.Errorf("%s: %v", want.ID, err)
	}
	if got.ID() != want.ID || got.Type() != "io.serin."+want.Name+".v1" || got.Source() != "serin/"+want.Slot.String() || !got.Time().Equal(want.Time) || got.Subject() != want.Data.Rollout {
		t.Errorf("want %+v, got\n%s", want, got)
	}
	data, err := json.Marshal(want.Data)
	if err != nil {
		t.Fatal(err)
	}
	if !same(got.Data(), data) {
		t.Errorf("%s: data\n%s\nwant\n%s", want.ID, got.Data(), data)
	}
	extensions := map[string]string{"severity": string(want.Severity), "releaseid": want.Data.Release, "sequence": strconv.FormatUint(want.Data.Rev, 10),
		"traceparent": want.Trace.Parent, "tracestate": want.Trace.State}
	for name, value := range extensions {
		if got, is := got.Extensions()[name]; is && got != value || !is && value != "" {
			t.Errorf("%s: %s is %v, want %s", want.ID, name, got, value)
		}
	}
}

func TestTheCloudEventsSDKReadsEveryEvent(t *testing.T) {
	for name, structured := range map[string]bool{"binary": false, "structured": true} {
		t.Run(name, func(t *testing.T) {
			w, all := newWorld(t), events(t)
			want := map[string]deployments.Event{}
			for _, e := range all {
				want[e.ID] = e
				if err := (jetstream.Dispatch{JS: w.js, Structured: structured}).Publish(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			got := make(chan cloudevents.Event, len(all))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			for _, subject := range []string{"serin.event.>", "serin.rollback.>"} {
				consumer, err := cejs.NewConsumerFromConn(w.nc, "SERIN_EVENTS", subject, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				client, err := cloudevents.NewClient(consumer)
				if err != nil {
					t.Fatal(err)
				}
				go func() { _ = client.StartReceiver(ctx, func(e cloudevents.Event) { got <- e }) }()
			}
			for range all {
				select {
				case e := <-got:
					hold(t, want[e.ID()], e)
					delete(want, e.ID())
				case <-time.After(patience):
					t.Fatalf("%d events did not come", len(want))
				}
			}
		})
	}
}

func TestTheDataOfAnEventIsDeclaredAsJSON(t *testing.T) {
	for name, encode := range map[string]func(jetstream.Names, deployments.Event) (*nats.Msg, error){"binary": jetstream.EncodeEvent, "structured": jetstream.EncodeStructured} {
		for _, want := range events(t) {
			msg, err := encode(jetstream.Names{}, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := binding.ToEvent(t.Context(), cejs.NewMessage(msg))
			if err != nil {
				t.Fatal(err)
			}
			// The SDK takes its content type from a header that the binding keeps for structured mode: in binary mode it
			// has ours as ce-datacontenttype.
			if kind := got.DataContentType(); kind != "application/json" {
				t.Errorf("%s %s: the data is %q", name, want.ID, kind)
			}
		}
	}
}

func TestReleasesOfTheCloudEventsSDKAreAccepted(t *testing.T) {
	w := newWorld(t)
	sender, err := cejs.NewSenderFromConn(w.nc, "SERIN_RELEASES", releases, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloudevents.NewClient(sender)
	if err != nil {
		t.Fatal(err)
	}
	for name, force := range map[string]func(context.Context) context.Context{"binary": binding.WithForceBinary, "structured": binding.WithForceStructured} {
		e := cloudevents.NewEvent()
		e.SetID("build/7 " + name)
		e.SetSource("https://ci.example/shop")
		e.SetType("com.example.deployed")
		e.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"version": "1.4." + name, "author": "Ana Šimić"}); err != nil {
			t.Fatal(err)
		}
		if result := client.Send(force(t.Context()), e); cloudevents.IsUndelivered(result) {
			t.Fatal(result)
		}
	}
	accepted, letters := w.settled(t, 2)
	for _, name := range []string{"binary", "structured"} {
		if r := accepted["build/7 "+name]; r.Version != "1.4."+name || r.Author != "Ana Šimić" || r.Trace.Parent == "" {
			t.Errorf("%s: %+v; %v", name, r, letters)
		}
	}
}
