package flags

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// SourceKind says which system keeps a policy's flags.
type SourceKind string

// The kinds.
const (
	Unleash      SourceKind = "unleash"
	LaunchDarkly SourceKind = "launchdarkly"
	File         SourceKind = "file"    // a flagd document
	Webhook      SourceKind = "webhook" // anything that a signed request can ask to move a flag
)

// Source is the system that keeps a policy's flags, where it is not Serin itself. Secrets stand in files, which it names.
type Source struct {
	Kind        SourceKind
	URL         string // of the system's API
	Project     string
	Environment string // as the system names it
	Path        string // of a file

	TokenFile    string // with the token that may write
	ReadKey      string // LaunchDarkly: the client-side ID, which is no secret
	ReadURL      string // of the endpoint that evaluates: OFREP, or the system's own; "" where URL has it
	ReadKeyFile  string // with the token that may evaluate
	SecretFile   string // webhook: of the signature
	ConfirmWaits time.Duration
}

// maxConfirm is the longest one confirmation may take: it is part of a call that lasts 30 s at most.
const maxConfirm = 20 * time.Second

// sourceKeys are what each kind may have, and what it must.
var sourceKeys = map[SourceKind]struct{ may, must []string }{
	Unleash:      {[]string{"url", "project", "environment", "token_file", "frontend_token_file", "confirm_within"}, []string{"url", "token_file", "frontend_token_file"}},
	LaunchDarkly: {[]string{"url", "project", "environment", "token_file", "client_side_id", "evaluate_url", "confirm_within"}, []string{"project", "environment", "token_file", "client_side_id"}},
	File:         {[]string{"path", "ofrep", "ofrep_token_file", "confirm_within"}, []string{"path", "ofrep"}},
	Webhook:      {[]string{"url", "secret_file", "ofrep", "ofrep_token_file", "confirm_within"}, []string{"url", "secret_file", "ofrep"}},
}

// SourceKinds are the keys that a policy's `flags:` section may have.
func SourceKinds() []string {
	return []string{string(Unleash), string(LaunchDarkly), string(File), string(Webhook)}
}

// SourceKeys are the keys of one kind's section.
func SourceKeys(kind SourceKind) []string { return sourceKeys[kind].may }

// ParseSource reads a policy's `flags:` section. It is nil when there is none: Serin keeps the flags itself. Everything
// wrong becomes a finding.
func ParseSource(v yamldoc.Value) *Source {
	if !v.Exists() {
		return nil
	}
	m := v.Map(SourceKinds()...)
	if !m.IsMap() {
		return nil
	}
	var found *Source
	for _, name := range SourceKinds() {
		switch {
		case !m.Has(name):
		case found != nil:
			m.Key(name).Errorf("keep one of them", "flags are kept by one system, and this is a second")
		default:
			found = parseSource(SourceKind(name), m.Get(name))
		}
	}
	if found == nil && !m.Strange() {
		m.Errorf("leave the section out where Serin keeps the flags, or name one of "+strings.Join(SourceKinds(), ", "), "names no system")
	}
	return found
}

func parseSource(kind SourceKind, v yamldoc.Value) *Source {
	s := &Source{Kind: kind}
	keys := sourceKeys[kind]
	m := v.Map(keys.may...)
	if !m.IsMap() {
		return s
	}
	for _, key := range keys.must {
		if !m.Has(key) && !m.Strange() {
			m.Errorf("add `"+key+":`", "%s needs %s", kind, key)
		}
	}
	text := func(key string) string {
		s, _ := m.Get(key).String()
		return s
	}
	s.URL, s.ReadURL = sourceURL(m.Get("url")), sourceURL(m.Get("evaluate_url"))
	if m.Has("ofrep") {
		s.ReadURL = sourceURL(m.Get("ofrep"))
	}
	s.Project, s.Environment, s.Path = text("project"), text("environment"), text("path")
	s.TokenFile, s.ReadKeyFile, s.ReadKey, s.SecretFile = text("token_file"), text("frontend_token_file")+text("ofrep_token_file"), text("client_side_id"), text("secret_file")
	s.ConfirmWaits = 10 * time.Second
	if d, ok := m.Get("confirm_within").Duration(); ok {
		if s.ConfirmWaits = d; d <= 0 || d > maxConfirm {
			m.Get("confirm_within").Errorf("leave it out for 10s; a confirmation that is not there in time is tried again anyway", "must be longer than 0 and at most %s", maxConfirm)
		}
	}
	if kind == Unleash {
		s.Project, s.Environment = orElse(s.Project, "default"), orElse(s.Environment, "production")
	}
	return s
}

// sourceURL reads an address without anything secret in it.
func sourceURL(v yamldoc.Value) string {
	const example = "write it as https://flags.example"
	text, ok := v.String()
	if !ok {
		return ""
	}
	switch u, err := url.Parse(text); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.Errorf(example, "is no http or https URL") // the text is not repeated: it may hold a password
	case u.User != nil:
		v.Errorf("name a file with the token instead", "a user or password stands in the URL")
	case u.RawQuery != "" || u.Fragment != "":
		v.Errorf(example, "the URL has a query or a fragment")
	}
	return strings.TrimRight(text, "/")
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ID is the same for sources that mean the same; "" is Serin itself.
func (s *Source) ID() string {
	if s == nil {
		return ""
	}
	text, err := json.Marshal(s)
	if err != nil { // it is texts and a number
		panic("flags: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return string(s.Kind) + "-" + hex.EncodeToString(sum[:8])
}

// String names the source for people.
func (s *Source) String() string {
	switch {
	case s == nil:
		return "Serin"
	case s.Kind == File:
		return "the file " + s.Path
	case s.URL == "":
		return string(s.Kind)
	}
	return string(s.Kind) + " at " + s.URL
}
