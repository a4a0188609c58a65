package analysis

import (
	"net/url"
	"slices"
	"strings"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// ParseSource reads a policy's `prometheus:` section: a URL, or a mapping. It returns nil when there is none, or no
// usable URL in it; everything wrong becomes a finding.
func ParseSource(v yamldoc.Value) *Source {
	if !v.Exists() {
		return nil
	}
	if !v.IsMap() {
		return parseURL(v, Source{})
	}
	m := sectionOf(v, "url", "timeout", "bearer_token_file", "basic_auth", "tls", "headers")
	var s Source
	if d, ok := m.Get("timeout").Duration(); ok {
		if d <= 0 {
			m.Get("timeout").Errorf("write how long one query may take, as in 10s", "must be above 0")
		}
		s.Timeout = d
	}
	s.BearerTokenFile, _ = m.Get("bearer_token_file").String()
	s.parseBasic(m.Get("basic_auth"))
	s.parseTLS(m.Get("tls"))
	s.parseHeaders(m.Get("headers"))
	if m.Has("bearer_token_file") && m.Has("basic_auth") {
		m.Key("basic_auth").Errorf("keep one of them", "bearer_token_file and basic_auth both set the Authorization header")
	}
	if !m.Has("url") {
		v.Errorf("add `url: http://prometheus:9090`", "has no url")
		return nil
	}
	return parseURL(m.Get("url"), s)
}

// secrets are keys under which people write a secret itself, and the key that names its file instead.
var secrets = map[string]string{
	"bearer_token": "bearer_token_file", "token": "bearer_token_file", "authorization": "bearer_token_file",
	"password": "password_file", "ca": "ca_file", "cert": "cert_file", "key": "key_file",
}

// sectionOf reads a mapping; a secret written into it is refused with the name of its cure.
func sectionOf(v yamldoc.Value, known ...string) yamldoc.Map {
	tolerated := slices.Clone(known)
	for _, key := range v.Keys() {
		if slices.Contains(known, secrets[key]) {
			tolerated = append(tolerated, key)
		}
	}
	m := v.Map(tolerated...)
	for _, key := range tolerated[len(known):] {
		m.Key(key).Errorf("put it into a file and name a file: `"+secrets[key]+": /path/to/file`", "unknown key %q: secrets do not stand in a policy", key)
	}
	return m
}

func (s *Source) parseBasic(v yamldoc.Value) {
	m := sectionOf(v, "username", "password_file")
	s.BasicUser, _ = m.Get("username").String()
	s.BasicPasswordFile, _ = m.Get("password_file").String()
	if v.IsMap() && !(m.Has("username") && m.Has("password_file")) {
		v.Errorf("write `username:` and `password_file:`", "needs both a user and a file with the password")
	}
}

func (s *Source) parseTLS(v yamldoc.Value) {
	m := sectionOf(v, "ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify")
	s.CAFile, _ = m.Get("ca_file").String()
	s.CertFile, _ = m.Get("cert_file").String()
	s.KeyFile, _ = m.Get("key_file").String()
	s.ServerName, _ = m.Get("server_name").String()
	s.InsecureSkipVerify, _ = m.Get("insecure_skip_verify").Bool()
	if m.Has("cert_file") != m.Has("key_file") {
		v.Errorf("write both `cert_file:` and `key_file:`, or neither", "a client certificate needs its key")
	}
}

// parseURL finishes the source with its URL; nil when that cannot be used.
func parseURL(v yamldoc.Value, s Source) *Source {
	const example = "write it as http://host:9090 or https://host/prefix"
	text, ok := v.String()
	if !ok {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	// The text is not repeated: it may hold a password.
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.Errorf(example, "is no http or https URL")
	case u.User != nil:
		v.Errorf("remove it, and name a file: `basic_auth: {username: …, password_file: …}`", "a user or password stands in the URL")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		v.Errorf(example, "the URL has a query or a fragment")
	case strings.Contains(u.Path, "/api/v1"):
		v.Errorf("remove /api/v1 and what follows", "the URL is the server's, not that of its API")
	default:
		s.URL = strings.TrimRight(text, "/")
		return &s
	}
	return nil
}
