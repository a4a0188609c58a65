package jetstream

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// eventAttributes are those that DecodeEvent reads.
var eventAttributes = [...]string{"id", "type", "time", "severity", "traceparent", "tracestate"}

// DecodeEvent reads back what EncodeEvent or EncodeStructured made.
func DecodeEvent(n Names, subject string, h nats.Header, data []byte) (deployments.Event, error) {
	a, data, err := attributesIn(h, data)
	if err != nil {
		return deployments.Event{}, err
	}
	e := deployments.Event{ID: a["id"], Severity: deployments.Severity(a["severity"]), Trace: deployments.NewTrace(a["traceparent"], a["tracestate"])}
	var typed, versioned, ours bool
	e.Name, typed = strings.CutPrefix(a["type"], typePrefix)
	e.Name, versioned = strings.CutSuffix(e.Name, typeSuffix)
	e.Subject, ours = n.relative(subject)
	if e.ID == "" || !typed || !versioned || !ours {
		return deployments.Event{}, refuse(Malformed, "%s is no event of serin: id %q, type %q", subject, e.ID, a["type"])
	}
	if e.Time, err = time.Parse(time.RFC3339Nano, a["time"]); err != nil {
		return deployments.Event{}, refuse(Malformed, "the event's time: %w", err)
	}
	if err := json.Unmarshal(data, &e.Data); err != nil {
		return deployments.Event{}, refuse(Malformed, "event %s: %w", e.ID, err)
	}
	e.Slot = deployments.Slot{Environment: e.Data.Environment, Service: e.Data.Service}
	return e, nil
}

// attributesIn are an event's attributes and data, from whichever mode it is in.
func attributesIn(h nats.Header, data []byte) (attributes, []byte, error) {
	kind, err := header(h, "content-type")
	if err != nil {
		return nil, nil, err
	}
	a := attributes{}
	if isCloudEvent(kind) {
		body, err := object(data)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range eventAttributes {
			a[name] = textOf(body[name])
		}
		return a, body["data"], nil
	}
	for _, name := range eventAttributes {
		raw, err := header(h, "ce-"+name)
		if err != nil {
			return nil, nil, err
		}
		if a[name], err = percentDecode(raw); err != nil {
			return nil, nil, refuse(Malformed, "header ce-%s: %w", name, err)
		}
	}
	return a, data, nil
}
