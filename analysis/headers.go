package analysis

import (
	"net/textproto"
	"strings"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// parseHeaders reads the headers sent with every query, such as a tenant's.
func (s *Source) parseHeaders(v yamldoc.Value) {
	m := v.Map(v.Keys()...)
	for _, name := range v.Keys() {
		value, ok := m.Get(name).String()
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !ok:
		case !validName(name):
			m.Key(name).Errorf("write letters, digits and -, as in X-Scope-OrgID", "%q is no header name", name)
		case credential(canonical):
			m.Key(name).Errorf("name a file: `bearer_token_file:` or `basic_auth:`", "header %s carries a secret", canonical)
		case reserved(canonical):
			m.Key(name).Errorf("remove it", "header %s is set by Serin", canonical)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			m.Get(name).Errorf("write it on one line", "header %s has a control character", canonical)
		default:
			if s.Headers == nil {
				s.Headers = map[string]string{}
			}
			s.Headers[canonical] = value
		}
	}
}

func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

func credential(header string) bool {
	switch header {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return true
	}
	return false
}

// reserved headers belong to the connection or to the request's body.
func reserved(header string) bool {
	switch header {
	case "Host", "Connection", "Keep-Alive", "Transfer-Encoding", "User-Agent", "Accept-Encoding", "Www-Authenticate", "Proxy-Authenticate":
		return true
	}
	return strings.HasPrefix(header, "Content-") || strings.HasPrefix(header, "X-Prometheus-") || strings.HasPrefix(header, "X-Amz-")
}
