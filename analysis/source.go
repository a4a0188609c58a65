package analysis

import "time"

// Source is one Prometheus: a policy's `prometheus:` section. Secrets are named by file, never held.
type Source struct {
	URL                string
	Timeout            time.Duration // of one query; default 10s
	BearerTokenFile    string
	BasicUser          string
	BasicPasswordFile  string
	CAFile             string
	CertFile, KeyFile  string
	ServerName         string
	InsecureSkipVerify bool
	Headers            map[string]string // for example X-Scope-OrgID
}
