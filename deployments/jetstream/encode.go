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

// encode makes a CloudEvent in binary mode: attributes are headers, the body is the data.
func encode(subject, id, kind, source string, data []byte, attributes map[string]string) *nats.Msg {
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}
	for name, value := range map[string]string{
		"specversion": "1.0", "id": id, "type": kind, "source": source, "datacontenttype": "application/json",
	} {
		m.Header["ce-"+name] = []string{percentEncode(value)}
	}
	for name, value := range attributes {
		if value != "" {
			m.Header["ce-"+name] = []string{percentEncode(value)}
		}
	}
	return m
}

// EncodeEvent makes the message of a public event.
func EncodeEvent(n Names, e deployments.Event) (*nats.Msg, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	attributes := map[string]string{
		"time": e.Time.UTC().Format(time.RFC3339Nano), "severity": string(e.Severity), "releaseid": e.Data.Release,
	}
	if e.Data.Rev > 0 {
		attributes["sequence"] = strconv.FormatUint(e.Data.Rev, 10)
	}
	return encode(n.Subject(e.Subject), e.ID, typePrefix+e.Name+typeSuffix, source(e.Slot), data, attributes), nil
}

// source is the CloudEvents source of a slot: a relative reference.
func source(s deployments.Slot) string { return "serin/" + s.String() }

// DecodeEvent reads back what EncodeEvent made.
func DecodeEvent(n Names, subject string, h nats.Header, data []byte) (deployments.Event, error) {
	attributes := map[string]string{}
	for _, name := range [...]string{"id", "type", "time", "severity"} {
		raw, err := header(h, "ce-"+name)
		if err != nil {
			return deployments.Event{}, err
		}
		if attributes[name], err = percentDecode(raw); err != nil {
			return deployments.Event{}, refuse(Malformed, "header ce-%s: %w", name, err)
		}
	}
	e := deployments.Event{ID: attributes["id"], Severity: deployments.Severity(attributes["severity"])}
	var typed, versioned, ours bool
	e.Name, typed = strings.CutPrefix(attributes["type"], typePrefix)
	e.Name, versioned = strings.CutSuffix(e.Name, typeSuffix)
	e.Subject, ours = n.relative(subject)
	if e.ID == "" || !typed || !versioned || !ours {
		return deployments.Event{}, refuse(Malformed, "%s is no event of serin: id %q, type %q", subject, e.ID, attributes["type"])
	}
	var err error
	if e.Time, err = time.Parse(time.RFC3339Nano, attributes["time"]); err != nil {
		return deployments.Event{}, refuse(Malformed, "header ce-time: %w", err)
	}
	if err := json.Unmarshal(data, &e.Data); err != nil {
		return deployments.Event{}, refuse(Malformed, "event %s: %w", e.ID, err)
	}
	e.Slot = deployments.Slot{Environment: e.Data.Environment, Service: e.Data.Service}
	return e, nil
}

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
	m := encode(n.Release(r.Slot), r.ID, releaseType, source(r.Slot), data, nil)
	m.Header[nats.MsgIdHdr] = []string{r.ID}
	return m, nil
}

// percentEncode makes a header's value of any string, as CloudEvents over NATS asks for.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
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
