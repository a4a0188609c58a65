package jetstream

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// The type of a CloudEvent is typePrefix, the event's name, and typeSuffix.
const (
	typePrefix  = "io.serin."
	typeSuffix  = ".v1"
	releaseType = typePrefix + "release" + typeSuffix
)

// structuredType is the content type of a CloudEvent that is one JSON object.
const structuredType = "application/cloudevents+json"

// attributes are those of a CloudEvent, extensions among them. What is "" is left out.
type attributes map[string]string

func attributesOf(id, kind, source string, trace deployments.Trace) attributes {
	return attributes{"specversion": "1.0", "id": id, "type": kind, "source": source, "datacontenttype": "application/json",
		"traceparent": trace.Parent, "tracestate": trace.State}
}

// binary makes the message of a CloudEvent in binary mode: attributes are headers, the body is the data.
func (a attributes) binary(subject string, data []byte) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	for name, value := range a {
		if value != "" {
			m.Header["ce-"+name] = []string{percentEncode(value)}
		}
	}
	return m
}

// structured makes the message of a CloudEvent in structured mode: attributes and data are one JSON object.
func (a attributes) structured(subject string, data json.RawMessage) (*nats.Msg, error) {
	body := map[string]any{"data": data}
	for name, value := range a {
		if value != "" {
			body[name] = value
		}
	}
	text, err := json.Marshal(body)
	return &nats.Msg{Subject: subject, Data: text, Header: nats.Header{"Content-Type": {structuredType}}}, err
}

// EncodeEvent makes the message of a public event: a CloudEvent in binary mode.
func EncodeEvent(n Names, e deployments.Event) (*nats.Msg, error) {
	a, data, err := cloudEvent(e)
	if err != nil {
		return nil, err
	}
	return a.binary(n.Subject(e.Subject), data), nil
}

// EncodeStructured is EncodeEvent in structured mode: the same attributes and the same data.
func EncodeStructured(n Names, e deployments.Event) (*nats.Msg, error) {
	a, data, err := cloudEvent(e)
	if err != nil {
		return nil, err
	}
	m, err := a.structured(n.Subject(e.Subject), data)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return m, nil
}

// cloudEvent are the attributes and the data of a public event. The CloudEvents subject is the rollout it is about.
func cloudEvent(e deployments.Event) (attributes, []byte, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	a := attributesOf(e.ID, typePrefix+e.Name+typeSuffix, source(e.Slot), e.Trace)
	a["time"], a["severity"], a["releaseid"], a["subject"] = e.Time.UTC().Format(time.RFC3339Nano), string(e.Severity), e.Data.Release, e.Data.Rollout
	if e.Data.Rev > 0 {
		a["sequence"] = strconv.FormatUint(e.Data.Rev, 10)
	}
	return a, data, nil
}

// source is the CloudEvents source of a slot: a relative reference.
func source(s deployments.Slot) string { return "serin/" + s.String() }

// encodeRelease makes the message of a release event. Fields serin does not know go back to where they were.
func encodeRelease(n Names, r deployments.Release) (*nats.Msg, error) {
	body := map[string]any{}
	if len(r.Extra) > 0 {
		if err := json.Unmarshal(r.Extra, &body); err != nil {
			return nil, fmt.Errorf("encode release: %w", err)
		}
	}
	var named deployments.Slot
	var id string
	for _, f := range fields(&r, &named, &id) {
		if f.to != &id && *f.to != "" {
			body[f.name] = *f.to
		}
	}
	body["service"], body["environment"] = r.Service, r.Environment
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode release: %w", err)
	}
	return attributesOf(r.ID, releaseType, source(r.Slot), r.Trace).binary(n.Release(r.Slot), data), nil
}

// percentEncode makes a header's value of any string, as CloudEvents over NATS asks for.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD") // readers refuse what is not UTF-8
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
