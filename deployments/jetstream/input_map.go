package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// maxInput bounds the body of an input's message, in bytes: it is another program's, and may say much.
const maxInput = 1 << 20

// errNotMeant says that a message is none of an input's business.
var errNotMeant = errors.New("the message is no release")

// message is what an input reads of one.
type message struct {
	subject string
	header  nats.Header
	data    []byte
	own     string // an id of the message itself, where nothing in it is one
}

// release makes a release of a message. errNotMeant: it is none, and nothing is wrong with it. Every other error is a
// deployments.RefusedError.
func (i Input) release(m message) (deployments.Release, error) {
	if len(m.data) > maxInput {
		return deployments.Release{}, refuse(TooLarge, "the message has %d bytes, %d are allowed", len(m.data), maxInput)
	}
	e, err := i.open(m)
	if err != nil {
		return deployments.Release{}, err
	}
	body, err := anyJSON(e.data)
	if err != nil {
		return deployments.Release{}, err
	}
	if !i.means(m, body) {
		return deployments.Release{}, errNotMeant
	}
	fields, err := i.fields(m, &e, body)
	if err != nil {
		return deployments.Release{}, err
	}
	slot, err := slotIn(fields)
	if err != nil {
		return deployments.Release{}, err
	}
	if fields["id"] != "" {
		e.id = fields["id"]
	}
	for _, id := range []string{m.header.Get(nats.MsgIdHdr), m.own} {
		if e.id == "" {
			e.id = id
		}
	}
	if e.data, err = json.Marshal(fields); err != nil {
		return deployments.Release{}, refuse(Malformed, "%w", err)
	}
	return release(slot, e)
}

// slotIn is the slot that a message's fields name.
func slotIn(fields map[string]string) (deployments.Slot, error) {
	for _, name := range []string{"service", "environment"} {
		if fields[name] == "" {
			return deployments.Slot{}, refuse(Invalid, "%s is missing: say in `map` of the input where it is, or what it is in `defaults`", name)
		}
	}
	slot := deployments.Slot{Environment: fields["environment"], Service: fields["service"]}
	if err := slot.Validate(); err != nil {
		return deployments.Slot{}, deployments.Refuse(Invalid, err)
	}
	return slot, nil
}

// open takes the message out of its CloudEvent, where the format says so.
func (i Input) open(m message) (envelope, error) {
	plain := envelope{data: m.data, trace: traceOf(m.header, "")}
	if i.Format == JSONFormat {
		return plain, nil
	}
	e, err := open(m.header, m.data)
	if err != nil {
		kind, _ := header(m.header, "content-type")
		version, _ := header(m.header, "ce-specversion")
		var body struct{ Specversion json.RawMessage }
		if isCloudEvent(kind) || version != "" || json.Unmarshal(m.data, &body) == nil && body.Specversion != nil {
			return envelope{}, err
		}
		e = plain
	}
	if e.trace == (deployments.Trace{}) {
		e.trace = plain.trace
	}
	if i.Format == CDEventsFormat && !e.isCDEvent() {
		return envelope{}, refuse(Malformed, "the message is no CDEvent: it needs a context with a type such as dev.cdevents.service.deployed.0.2.0")
	}
	return e, nil
}

// means reports whether the message says what it must to be a release.
func (i Input) means(m message, body any) bool {
	for _, path := range paths(i.Only) {
		text, err := m.at(path, body)
		if err != nil {
			return false
		}
		found := false
		for _, want := range i.Only[path] {
			found = found || text == want
		}
		if !found {
			return false
		}
	}
	return true
}

// fields are those of the release: what a CDEvent says, or the body where nothing is mapped; over it what is mapped; and
// the defaults of what is still missing.
func (i Input) fields(m message, e *envelope, body any) (map[string]string, error) {
	fields := map[string]string{}
	from := map[string]string{}
	switch {
	case i.Format != JSONFormat && e.isCDEvent():
		said, id, err := e.cdevent()
		switch {
		case deployments.Refusal(err) == Unsupported:
			return nil, errNotMeant // the subject has events of other kinds too
		case err != nil:
			return nil, err
		}
		e.id = id
		if err := m.fill(fields, said, named(inputFields)); err != nil {
			return nil, err
		}
	case len(i.Map) == 0:
		from = named(inputFields)
	}
	maps.Copy(from, i.Map)
	if err := m.fill(fields, body, from); err != nil {
		return nil, err
	}
	for name, text := range i.Defaults {
		if fields[name] == "" {
			fields[name] = text
		}
	}
	return fields, nil
}

// named are the fields under their own names.
func named(fields []string) map[string]string {
	out := map[string]string{}
	for _, name := range fields {
		out[name] = "." + name
	}
	return out
}

// fill takes the fields from where they are. What is not there stays as it is.
func (m message) fill(fields map[string]string, body any, from map[string]string) error {
	for _, name := range paths(from) {
		text, err := m.at(from[name], body)
		if err != nil {
			return refuse(Invalid, "%s: %w", name, err)
		}
		if text != "" {
			fields[name] = text
		}
	}
	return nil
}

// at is the text at a path, "" where there is nothing.
func (m message) at(path string, body any) (string, error) {
	if token, ok := strings.CutPrefix(path, "subject."); ok {
		n, _ := strconv.Atoi(token)
		tokens := strings.Split(m.subject, ".")
		if n < 1 || n > len(tokens) {
			return "", nil
		}
		return tokens[n-1], nil
	}
	if name, ok := strings.CutPrefix(path, "header:"); ok {
		return header(m.header, name)
	}
	at := body
	for _, key := range strings.Split(path, ".")[1:] {
		switch inside := at.(type) {
		case map[string]any:
			at = inside[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(inside) {
				return "", nil
			}
			at = inside[n]
		default:
			return "", nil
		}
	}
	return textAt(path, at)
}

// textAt is a JSON value as text.
func textAt(path string, at any) (string, error) {
	switch v := at.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	default:
		return "", errors.New("at " + path + " is a list or an object, and no text")
	}
}

// anyJSON reads any JSON value, numbers as they are written.
func anyJSON(data []byte) (any, error) {
	if _, err := object(data); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err != nil {
		return nil, refuse(Malformed, "the body cannot be read: %w", err)
	}
	return v, nil
}
