package jetstream

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

func TestAStructuredEventSaysTheSameAsABinaryOne(t *testing.T) {
	want := testEvent()
	want.ID = "a “b” %<c>"
	msg, err := EncodeStructured(Names{}, want)
	if err != nil {
		t.Fatal(err)
	}
	if got := msg.Header["Content-Type"]; len(msg.Header) != 1 || len(got) != 1 || got[0] != "application/cloudevents+json" {
		t.Errorf("its headers are %v", msg.Header)
	}
	var body map[string]any
	if err := json.Unmarshal(msg.Data, &body); err != nil {
		t.Fatal(err)
	}
	delete(body, "data")
	if diff := cmp.Diff(map[string]any{
		"specversion": "1.0", "id": want.ID, "type": "io.serin.rollback.requested.v1", "source": "serin/production/checkout", "subject": "checkout-8c1f",
		"time": "2026-11-20T10:00:00.000000123Z", "datacontenttype": "application/json", "severity": "page", "releaseid": "run 7 “x”", "sequence": "17",
		"traceparent": want.Trace.Parent, "tracestate": want.Trace.State,
	}, body); diff != "" {
		t.Errorf("attributes: want -, got +:\n%s", diff)
	}
	got, err := DecodeEvent(Names{}, msg.Subject, msg.Header, msg.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestStructuredMessagesThatAreNoEventsAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":      `hello`,
		"a list":       `[]`,
		"foreign type": `{"specversion":"1.0","id":"7","source":"x","type":"dev.cdevents.x","time":"2026-11-20T10:00:00Z","data":{}}`,
		"no time":      `{"specversion":"1.0","id":"7","source":"x","type":"io.serin.step.started.v1","data":{}}`,
		"no data":      `{"specversion":"1.0","id":"7","source":"x","type":"io.serin.step.started.v1","time":"2026-11-20T10:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeEvent(Names{}, "serin.event.a.b.step.started", nats.Header{"content-TYPE": {"Application/CloudEvents+json; charset=utf-8"}}, []byte(body)); deployments.Refusal(err) != Malformed {
				t.Errorf("got %v, want a refusal as malformed", err)
			}
		})
	}
}

func TestFollowersReadEventsOfBothModes(t *testing.T) {
	l := newLab(t)
	events := follow(t, l, Filter{Slot: checkout}, 0)
	receive(t, events)
	write(t, l, checkout, 1)
	stop := dispatch(t, l, told)
	binary := receive(t, events)
	stop()
	// The same event, told by a worker with another option, is the same to the stream.
	for _, structured := range []bool{true, false} {
		d := Dispatch{JS: l.js, Journal: openJournal(t, l.js), Structured: structured}
		if err := d.Publish(t.Context(), binary); err != nil {
			t.Fatal(err)
		}
	}
	d := Dispatch{JS: l.js, Journal: openJournal(t, l.js), Structured: true}
	write(t, l, checkout, 1)
	background(t, func(ctx context.Context) error { return d.Run(ctx, told) })
	structured := receive(t, events)
	if structured.Data.Rev != 2 || structured.Subject != binary.Subject || structured.Severity != binary.Severity {
		t.Errorf("after %+v came %+v", binary, structured)
	}
	s, err := l.js.Stream(t.Context(), "SERIN_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.GetLastMsgForSubject(t.Context(), "serin.event.production.checkout.step.started")
	if err != nil {
		t.Fatal(err)
	}
	if id := last.Header.Get(jetstream.MsgIDHeader); last.Sequence != 2 || id != structured.ID || !isCloudEvent(last.Header.Get("content-type")) && !isCloudEvent(last.Header.Get("Content-Type")) {
		t.Errorf("message %d has the id %q and the headers %v", last.Sequence, id, last.Header)
	}
}

func TestAReleasesTraceIsPassedOn(t *testing.T) {
	const parent, state = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1"
	want := deployments.Trace{Parent: parent, State: state}
	for name, tt := range map[string]struct {
		header nats.Header
		body   string
		want   deployments.Trace
	}{
		"binary":     {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "ci", "ce-type", "x", "ce-traceparent", parent, "ce-tracestate", state), `{"version":"1"}`, want},
		"structured": {nil, `{"specversion":"1.0","id":"7","source":"ci","type":"x","traceparent":"` + parent + `","tracestate":"` + state + `","data":{"version":"1"}}`, want},
		"header":     {ce("Traceparent", parent, "tracestate", state), `{"version":"1"}`, want},
		"the event's own goes first": {ce("ce-specversion", "1.0", "ce-id", "7", "ce-source", "ci", "ce-type", "x", "ce-traceparent", parent, "ce-tracestate", state,
			"traceparent", "00-11111111111111111111111111111111-b7ad6b7169203331-01"), `{"version":"1"}`, want},
		"none":             {nil, `{"version":"1"}`, deployments.Trace{}},
		"not of its form":  {ce("traceparent", "<!channel>"), `{"version":"1"}`, deployments.Trace{}},
		"state by itself":  {ce("tracestate", state), `{"version":"1"}`, deployments.Trace{}},
		"hostile state":    {ce("traceparent", parent, "tracestate", "a\x1b"), `{"version":"1"}`, deployments.Trace{Parent: parent}},
		"two that differ":  {nats.Header{"traceparent": {parent, "x"}}, `{"version":"1"}`, deployments.Trace{}},
		"structured, list": {nil, `{"specversion":"1.0","id":"7","source":"ci","type":"x","traceparent":[1],"data":{"version":"1"}}`, deployments.Trace{}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := DecodeRelease(subject, tt.header, []byte(tt.body))
			if err != nil || r.Trace != tt.want {
				t.Fatalf("%+v, %v", r.Trace, err)
			}
			msg, err := encodeRelease(Names{}, r)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := DecodeRelease(msg.Subject, msg.Header, msg.Data); err != nil || again.Trace != tt.want {
				t.Errorf("published again: %+v, %v", again.Trace, err)
			}
			entry := deployments.Entry{Slot: checkout, Rev: 1, State: deployments.State{Release: &r}}
			entry.Input, err = json.Marshal(map[string]any{"kind": "release", "answer": "rejected", "release": r})
			if err != nil {
				t.Fatal(err)
			}
			events := deployments.Events(deployments.Entry{}, entry)
			if len(events) == 0 {
				t.Fatal("no events")
			}
			for _, e := range events {
				if e.Trace != tt.want {
					t.Errorf("event %s has %+v", e.Name, e.Trace)
				}
			}
		})
	}
}
