package jetstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// Why a release event is refused: the last token of its dead letter's subject.
const (
	Malformed   = "malformed"   // it is neither a CloudEvent nor a plain release
	Invalid     = "invalid"     // a field is missing or not of its form
	BadName     = "bad_name"    // its subject names no environment and service
	Mismatch    = "mismatch"    // it disagrees with its subject
	NotAllowed  = "not_allowed" // it has a field that only a policy may allow
	TooLarge    = "too_large"
	Unsupported = "unsupported" // a CDEvent that tells of no release
	GaveUp      = "gave_up"     // tried too often
	Poison      = "poison"      // a journal entry that cannot be read
	Stranded    = "undelivered" // an event that a notifier could not deliver
)

func refuse(reason, format string, args ...any) error {
	return deployments.Refuse(reason, fmt.Errorf(format, args...))
}

// envelope is a message taken out of its CloudEvent, if it was one.
type envelope struct {
	id    string
	kind  string // the CloudEvent's type; "": it was none
	trace deployments.Trace
	data  []byte
}

// DecodeRelease reads a release from a message: a CloudEvent in structured or binary mode, whose data may be a CDEvent, a
// CDEvent by itself, or a plain JSON object. Service and environment come from the subject. Every error is a deployments.RefusedError.
func DecodeRelease(subject string, h nats.Header, data []byte) (deployments.Release, error) {
	slot, err := deployments.SlotOf(subject)
	if err != nil {
		return deployments.Release{}, deployments.Refuse(BadName, err)
	}
	if len(data) > maxRelease {
		return deployments.Release{}, refuse(TooLarge, "the event has %d bytes, %d are allowed", len(data), maxRelease)
	}
	e, err := open(h, data)
	if err != nil {
		return deployments.Release{}, err
	}
	if e.isCDEvent() {
		if e, err = e.ofCDEvent(); err != nil {
			return deployments.Release{}, err
		}
	}
	if e.id == "" {
		e.id = h.Get(nats.MsgIdHdr)
	}
	if e.trace == (deployments.Trace{}) {
		e.trace = traceOf(h, "")
	}
	return release(slot, e)
}

// open finds out how the event is wrapped. The content type decides first, then a ce-specversion header, then the body.
func open(h nats.Header, data []byte) (envelope, error) {
	kind, err := header(h, "content-type")
	if err != nil {
		return envelope{}, err
	}
	if isBatch(kind) {
		return envelope{}, refuse(Malformed, "a batch of CloudEvents is not understood: send each event as a message of its own")
	}
	if isCloudEvent(kind) {
		return structured(data)
	}
	version, err := header(h, "ce-specversion")
	if err != nil {
		return envelope{}, err
	}
	if version != "" {
		return binary(h, version, data)
	}
	body, err := object(data)
	if err != nil {
		return envelope{}, err
	}
	if _, ok := body["specversion"]; ok {
		return structured(data)
	}
	e := envelope{data: data}
	if _, ok := body["version"]; !ok && !e.isCDEvent() {
		return envelope{}, refuse(Malformed, `the body is neither a CloudEvent, a CDEvent nor a release: write at least {"version": "…"}`)
	}
	return e, nil
}

// isCloudEvent reports whether a content type is that of a CloudEvent in structured mode.
func isCloudEvent(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "application/cloudevents")
}

// isBatch reports whether a content type is that of several CloudEvents, which NATS has no mode for.
func isBatch(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "application/cloudevents-batch")
}

// structured reads an event whose attributes and data are one JSON object.
func structured(data []byte) (envelope, error) {
	body, err := object(data)
	if err != nil {
		return envelope{}, err
	}
	var attributes [4]string
	for i, name := range [...]string{"specversion", "id", "source", "type"} {
		if err := json.Unmarshal(body[name], &attributes[i]); err != nil || attributes[i] == "" {
			return envelope{}, refuse(Malformed, "the CloudEvent's %s must be a string with something in it", name)
		}
	}
	if err := supported(attributes[0]); err != nil {
		return envelope{}, err
	}
	e := envelope{id: attributes[1], kind: attributes[3], data: body["data"], trace: deployments.NewTrace(textOf(body["traceparent"]), textOf(body["tracestate"]))}
	if encoded, ok := body["data_base64"]; ok {
		var text string
		if err = json.Unmarshal(encoded, &text); err == nil {
			e.data, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return envelope{}, refuse(Malformed, "the CloudEvent's data_base64 cannot be read: %w", err)
		}
	}
	return e, nil
}

// textOf is a JSON string's text, or "".
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// traceOf is the trace context in the headers that begin with prefix: "ce-" of a CloudEvent's extensions, "" of W3C's own.
func traceOf(h nats.Header, prefix string) deployments.Trace {
	var values [2]string
	for i, name := range [...]string{"traceparent", "tracestate"} {
		raw, err := header(h, prefix+name)
		if err == nil && prefix != "" {
			raw, err = percentDecode(raw)
		}
		if err == nil {
			values[i] = raw
		}
	}
	return deployments.NewTrace(values[0], values[1])
}

// binary reads an event whose attributes are headers.
func binary(h nats.Header, version string, data []byte) (envelope, error) {
	if err := supported(version); err != nil {
		return envelope{}, err
	}
	e := envelope{data: data, trace: traceOf(h, "ce-")}
	for _, name := range [...]string{"ce-id", "ce-source", "ce-type"} {
		raw, err := header(h, name)
		if err != nil {
			return envelope{}, err
		}
		value, err := percentDecode(raw)
		if err != nil || value == "" {
			return envelope{}, refuse(Malformed, "header %s must be percent-encoded UTF-8 with something in it", name)
		}
		switch name {
		case "ce-id":
			e.id = value
		case "ce-type":
			e.kind = value
		}
	}
	return e, nil
}

func supported(specversion string) error {
	if specversion != "1.0" {
		return refuse(Malformed, "CloudEvents %q is not known here: send specversion 1.0", specversion)
	}
	return nil
}

// header finds a header whatever the case of its name; "" when there is none. Two that differ say nothing certain.
func header(h nats.Header, name string) (string, error) {
	found, value := false, ""
	for k, values := range h {
		if !strings.EqualFold(k, name) {
			continue
		}
		for _, v := range values {
			if found && v != value {
				return "", refuse(Malformed, "header %s is there twice, with different values", name)
			}
			found, value = true, v
		}
	}
	return value, nil
}

// object reads a JSON object's members, as they stand.
func object(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, refuse(Malformed, "the body is not UTF-8")
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(data, &body); err != nil || body == nil {
		return nil, refuse(Malformed, "the body is no JSON object: %w", whyNoObject(data, err))
	}
	return body, nil
}

// whyNoObject says in words what a body is in place of a JSON object.
func whyNoObject(data []byte, err error) error {
	text := bytes.TrimSpace(data)
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case len(text) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return errors.New("it begins with a byte order mark: write it as UTF-8 without one")
	case err == nil:
		return errors.New("it is null")
	case ok && text[0] == '[':
		return errors.New("it is an array: send what is in it one by one")
	case ok && text[0] == '"':
		return errors.New("it is a string: send the object itself, not its text")
	case ok:
		return errors.New("it is a " + wrong.Value)
	}
	return err
}

func percentDecode(s string) (string, error) {
	decoded, err := url.PathUnescape(s)
	if err == nil && !utf8.ValidString(decoded) {
		err = errors.New("not UTF-8")
	}
	return decoded, err
}
