package jetstream

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-cd/serin/deployments"
)

// What a release may carry at most, in bytes.
const (
	maxID    = 256
	maxExtra = 16 << 10
)

// notAllowed are the fields that weaken or redirect.
var notAllowed = [...]string{"start_step", "policy", "flag", "stable_version", "vars"}

// release reads the data of an event.
func release(slot deployments.Slot, e envelope) (deployments.Release, error) {
	body, err := object(e.data)
	if err != nil {
		return deployments.Release{}, err
	}
	for _, name := range notAllowed {
		if _, ok := body[name]; ok {
			return deployments.Release{}, refuse(NotAllowed, "%s must not be in a release event: remove it, it belongs into the policy", name)
		}
	}
	r := deployments.Release{Slot: slot, Trace: e.trace}
	var named deployments.Slot
	var id, attempt string
	for _, f := range fields(&r, &named, &id) {
		if err := f.take(body); err != nil {
			return deployments.Release{}, err
		}
	}
	if err := agree(slot, named); err != nil {
		return deployments.Release{}, err
	}
	attempt = string(body["attempt"])
	if r.Extra, err = extra(body); err != nil {
		return deployments.Release{}, err
	}
	if r.ID = e.id; r.ID == "" {
		r.ID = id
	}
	if r.ID == "" {
		r.ID = derivedID(r, attempt)
	}
	return r, plain("id", r.ID, maxID)
}

// field is a string of a release's body, and where it goes.
type field struct {
	name     string
	to       *string
	limit    int // bytes
	required bool
	link     bool
}

func fields(r *deployments.Release, named *deployments.Slot, id *string) []field {
	return []field{
		{name: "service", to: &named.Service, limit: 63},
		{name: "environment", to: &named.Environment, limit: 63},
		{name: "id", to: id, limit: maxID},
		{name: "version", to: &r.Version, limit: 128, required: true},
		{name: "artifact", to: &r.Artifact, limit: 512},
		{name: "commit", to: &r.Commit, limit: 128},
		{name: "ref", to: &r.Ref, limit: 256},
		{name: "author", to: &r.Author, limit: 128},
		{name: "run_url", to: &r.RunURL, limit: 1024, link: true},
		{name: "change_url", to: &r.Change, limit: 1024, link: true},
	}
}

// take moves the field from the body to where it goes. null is the same as nothing.
func (f field) take(body map[string]json.RawMessage) error {
	if raw, ok := body[f.name]; ok {
		delete(body, f.name)
		if err := json.Unmarshal(raw, f.to); err != nil {
			return refuse(Invalid, "%s must be a string: write it in quotes", f.name)
		}
	}
	if strings.TrimSpace(*f.to) == "" {
		*f.to = ""
		if f.required {
			return refuse(Invalid, "%s is missing", f.name)
		}
		return nil
	}
	if err := plain(f.name, *f.to, f.limit); err != nil {
		return err
	}
	if !f.link {
		return nil
	}
	// It becomes a link on a page: javascript: has no place there.
	if u, err := url.Parse(*f.to); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return refuse(Invalid, "%s must be an http or https URL", f.name)
	}
	return nil
}

// agree refuses a body that names another slot than its subject: permissions are granted by subject.
func agree(subject, body deployments.Slot) error {
	if body.Service != "" && body.Service != subject.Service {
		return refuse(Mismatch, "the body says service %q, the subject %q", body.Service, subject.Service)
	}
	if body.Environment != "" && body.Environment != subject.Environment {
		return refuse(Mismatch, "the body says environment %q, the subject %q", body.Environment, subject.Environment)
	}
	return nil
}

// plain refuses strings that are too long or could deceive a reader.
func plain(name, s string, limit int) error {
	if len(s) > limit {
		return refuse(Invalid, "%s has %d bytes, %d are allowed", name, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return refuse(Invalid, "%s is not UTF-8", name)
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	}) {
		return refuse(Invalid, "%s has control characters", name)
	}
	return nil
}

// extra is what is left of the body, as one object; nil when that is nothing.
func extra(body map[string]json.RawMessage) (json.RawMessage, error) {
	if len(body) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, refuse(Malformed, "the body is no JSON object: %w", err)
	}
	if len(data) > maxExtra {
		return nil, refuse(TooLarge, "fields that serin does not know have %d bytes, %d are allowed", len(data), maxExtra)
	}
	return data, nil
}

// derivedID is the same for the same release: CI may send it again without an id of its own. attempt makes it another.
func derivedID(r deployments.Release, attempt string) string {
	h := sha256.New()
	for _, s := range [...]string{r.Service, r.Environment, r.Version, r.Commit, attempt} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return "sha256-" + hex.EncodeToString(h.Sum(nil))
}
