package analysis

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
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
	facts := map[string]string{"url": strings.TrimRight(s.URL, "/"), "timeout": cmp.Or(s.Timeout, DefaultTimeout).String(),
		"bearer_token_file": s.BearerTokenFile, "username": s.BasicUser, "password_file": s.BasicPasswordFile,
		"ca_file": s.CAFile, "cert_file": s.CertFile, "key_file": s.KeyFile, "server_name": s.ServerName}
	if s.InsecureSkipVerify {
		facts["insecure_skip_verify"] = "true"
	}
	for name, value := range s.Headers {
		facts["header "+textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	// What is not set is left out, so that a field added later changes no ID. Maps are written sorted.
	maps.DeleteFunc(facts, func(_, value string) bool { return value == "" })
	text, err := json.Marshal(facts)
	if err != nil {
		panic(err) // strings always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
