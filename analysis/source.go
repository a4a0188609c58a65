package analysis

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/textproto"
	"strings"
	"time"
)

// DefaultTimeout bounds one query of a source that names no timeout.
const DefaultTimeout = 10 * time.Second

// Source is one Prometheus: a policy's `prometheus:` section. Secrets are named by file, never held.
type Source struct {
	URL                string
	Timeout            time.Duration // of one query; 0 means DefaultTimeout
	BearerTokenFile    string
	BasicUser          string
	BasicPasswordFile  string
	CAFile             string
	CertFile, KeyFile  string
	ServerName         string
	InsecureSkipVerify bool
	Headers            map[string]string // for example X-Scope-OrgID
}

// ID is the same for sources that are asked alike, on every machine and in every version of Serin. It tells nothing of
// what it was made from.
func (s Source) ID() string {
	s.URL = strings.TrimRight(s.URL, "/")
	s.Timeout = cmp.Or(s.Timeout, DefaultTimeout)
	headers := make(map[string]string, len(s.Headers))
	for name, value := range s.Headers {
		headers[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	s.Headers = headers
	// Fields are written in the order of the struct and maps sorted; a struct of strings always marshals.
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
