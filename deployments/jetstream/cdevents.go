package jetstream

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// cdeventsPrefix begins the type of every CDEvent, those of one's own vocabulary (dev.cdeventsx) included.
const cdeventsPrefix = "dev.cdevents"

// cdeventsType is the type of a CDEvent of the specification: subject, predicate and version.
var cdeventsType = regexp.MustCompile(`^dev\.cdevents\.([a-z]+)\.([a-z]+)\.(\d+)\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// understood are the CDEvents that tell of a release. What they say of it is in the past tense: the new version runs.
const understood = "service.deployed, service.upgraded, service.published and artifact.published, of versions 0.x"

// cdevent is what is read of a CDEvent.
type cdevent struct {
	Context struct {
		ID      string `json:"id"`
		Source  string `json:"source"`
		Type    string `json:"type"`
		ChainID string `json:"chainId"`
	} `json:"context"`
	Subject struct {
		ID      string `json:"id"`
		Content struct {
			Artifact    string `json:"artifactId"`
			User        string `json:"user"`
			Environment struct {
				ID string `json:"id"`
			} `json:"environment"`
		} `json:"content"`
	} `json:"subject"`
	CustomData json.RawMessage `json:"customData"`
}

// isCDEvent reports whether an event is one: by the type of its envelope, or by its own context.
func (e envelope) isCDEvent() bool {
	if strings.HasPrefix(e.kind, cdeventsPrefix) {
		return true
	}
	var c struct {
		Context struct{ Type string }
	}
	return json.Unmarshal(e.data, &c) == nil && strings.HasPrefix(c.Context.Type, cdeventsPrefix)
}

// ofCDEvent is the envelope with the release that its CDEvent tells of in place of the CDEvent.
func (e envelope) ofCDEvent() (envelope, error) {
	body, id, err := e.cdevent()
	if err != nil {
		return envelope{}, err
	}
	e.id, e.kind = id, ""
	e.data, err = json.Marshal(body)
	return e, err
}

// cdevent reads the fields of the release that a CDEvent tells of, and the event's id.
func (e envelope) cdevent() (body map[string]any, id string, err error) {
	if _, err := object(e.data); err != nil {
		return nil, "", err
	}
	var c cdevent
	if err := json.Unmarshal(e.data, &c); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("of the wrong JSON type (%s) is %s", wrong.Value, cmp.Or(wrong.Field, "the whole"))
		}
		return nil, "", refuse(Malformed, "the CDEvent cannot be read: %w", err)
	}
	if strings.HasPrefix(e.kind, cdeventsPrefix) && c.Context.Type != e.kind {
		return nil, "", refuse(Malformed, "the CloudEvent has the type %q, its data the CDEvents type %q: the data must be the whole CDEvent, context included", e.kind, c.Context.Type)
	}
	kind, err := c.kind()
	if err != nil {
		return nil, "", err
	}
	if c.Context.ID == "" {
		return nil, "", refuse(Malformed, "the CDEvent's context.id is missing")
	}
	body = c.body(kind)
	if body["version"] == nil {
		return nil, "", refuse(Invalid, "the CDEvent names no version: write its artifact as a package URL (pkg:oci/checkout@sha256:…?tag=1.4.2), or a version into customData")
	}
	about := map[string]any{"type": c.Context.Type}
	if c.Context.ChainID != "" {
		about["chain_id"] = c.Context.ChainID
	}
	body["cdevent"] = about
	return body, c.Context.ID, nil
}

// body are the fields of the release: what CDEvents has a place for, and the sender's customData where that is missing.
func (c cdevent) body(kind string) map[string]any {
	body := c.custom()
	for name, value := range c.fields(kind) {
		if custom := body[name]; value != "" && (custom == nil || name != "run_url") { // a source is only where a run may be
			body[name] = value
		}
	}
	if artifact, ok := body["artifact"].(string); ok && body["version"] == nil && purlOf(artifact).release() != "" {
		body["version"] = purlOf(artifact).release()
	}
	return body
}

// fields are those that CDEvents has a place for.
func (c cdevent) fields(kind string) map[string]string {
	content := c.Subject.Content
	all := map[string]string{"author": content.User, "artifact": content.Artifact, "environment": lastPart(content.Environment.ID), "service": lastPart(c.Subject.ID)}
	if kind == "artifact.published" {
		all["artifact"], all["service"] = c.Subject.ID, "" // the artifact is the subject, and its name is no service's
	}
	if u, err := url.Parse(c.Context.Source); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		all["run_url"] = c.Context.Source
	}
	all["version"] = purlOf(all["artifact"]).release()
	return all
}

// kind is the subject and the predicate of a CDEvent that tells of a release.
func (c cdevent) kind() (string, error) {
	m := cdeventsType.FindStringSubmatch(c.Context.Type)
	if m == nil || m[3] != "0" {
		return "", refuse(Unsupported, "the CDEvents type %.120q is not known here: understood are %s", c.Context.Type, understood)
	}
	switch kind := m[1] + "." + m[2]; kind {
	case "service.deployed", "service.upgraded", "service.published", "artifact.published":
		return kind, nil
	case "service.removed", "service.rolledback":
		return "", refuse(Unsupported, "the CDEvent %s tells of no new version, and orders nothing: understood are %s; `serin abort` takes a release back", kind, understood)
	default:
		return "", refuse(Unsupported, "the CDEvent %s tells of no release: understood are %s", kind, understood)
	}
}

// custom are the fields of a release that the sender has put into customData, as far as CDEvents has no place for them.
func (c cdevent) custom() map[string]any {
	body := map[string]any{}
	var custom map[string]any
	if json.Unmarshal(c.CustomData, &custom) != nil {
		return body // text, or another format in base64
	}
	for _, name := range [...]string{"version", "artifact", "commit", "ref", "author", "run_url", "change_url"} {
		if value, ok := custom[name]; ok {
			body[name] = value
		}
	}
	return body
}

// lastPart is the last part of an id such as service/checkout, which is how CDEvents writes names.
func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// purl is what is read of a package URL.
type purl struct{ name, version, tag string }

// purlOf reads a package URL, the zero purl from anything else.
func purlOf(s string) purl {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return purl{}
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, qualifiers, _ := strings.Cut(rest, "?")
	var p purl
	if q, err := url.ParseQuery(qualifiers); err == nil {
		p.tag = q.Get("tag")
	}
	last := lastPart(rest)
	if at := strings.LastIndexByte(last, '@'); at >= 0 {
		p.version, _ = percentDecode(last[at+1:])
		last = last[:at]
	}
	p.name, _ = percentDecode(last)
	return p
}

// release is the version that a release of it is known by: the tag where there is one, since a digest names no series.
func (p purl) release() string {
	if p.tag != "" {
		return p.tag
	}
	return p.version
}
