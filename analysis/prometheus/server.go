package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/config"

	"github.com/serin-cd/serin/analysis"
)

// server is one source with its kept connections.
type server struct {
	http    *http.Client
	request *http.Request // what all queries have in common; it is copied, never sent
	host    string
	timeout time.Duration
	bound   string        // the timeout for the server itself
	slots   chan struct{} // one element for each query in flight
}

func newServer(source analysis.Source, concurrency int) (*server, error) {
	u, err := url.Parse(source.URL)
	if err != nil || u.Host == "" {
		// Neither the text nor url.Parse's error is repeated: both may hold a password.
		return nil, errors.New("the prometheus URL is not valid: write it as http://host:9090")
	}
	cfg, err := clientConfig(source, u.User)
	if err != nil {
		return nil, fmt.Errorf("use prometheus at %s: %w", u.Host, err)
	}
	// Its transport keeps up to 1000 idle connections a host: more than are ever in flight here.
	client, err := config.NewClientFromConfig(cfg, "serin")
	if err != nil {
		return nil, fmt.Errorf("use prometheus at %s: %w", u.Host, err)
	}
	u.User = nil
	u.Path = strings.TrimRight(u.Path, "/")
	u.Path, u.RawPath = u.Path+"/api/v1/query", ""
	timeout := cmp.Or(source.Timeout, analysis.DefaultTimeout)
	return &server{
		http: client, request: newRequest(u), host: u.Host, timeout: timeout,
		bound: wholeSeconds(timeout).String(),
		slots: make(chan struct{}, cmp.Or(concurrency, DefaultConcurrency)),
	}, nil
}

// clientConfig is the source in the words of prometheus/common. A user in the URL becomes basic authentication, so that
// no URL in any error holds one.
func clientConfig(s analysis.Source, user *url.Userinfo) (config.HTTPClientConfig, error) {
	cfg := config.HTTPClientConfig{
		EnableHTTP2: true,
		ProxyConfig: config.ProxyConfig{ProxyFromEnvironment: true},
		TLSConfig: config.TLSConfig{CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile,
			ServerName: s.ServerName, InsecureSkipVerify: s.InsecureSkipVerify},
	}
	switch {
	case s.BearerTokenFile != "":
		cfg.Authorization = &config.Authorization{Type: "Bearer", CredentialsFile: s.BearerTokenFile}
	case s.BasicUser != "":
		cfg.BasicAuth = &config.BasicAuth{Username: s.BasicUser, PasswordFile: s.BasicPasswordFile}
	case user != nil:
		password, _ := user.Password()
		cfg.BasicAuth = &config.BasicAuth{Username: user.Username(), Password: config.Secret(password)}
	}
	if len(s.Headers) > 0 {
		cfg.HTTPHeaders = &config.Headers{Headers: make(map[string]config.Header, len(s.Headers))}
		for name, value := range s.Headers {
			cfg.HTTPHeaders.Headers[name] = config.Header{Values: []string{value}}
		}
	}
	return cfg, cfg.Validate()
}

// ask asks one query, for at most the source's timeout.
func (s *server) ask(ctx context.Context, text string, at time.Time) analysis.Result {
	own, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r := analysis.Result{Expr: text}
	resp, body, err := s.query(own, form(text, at, s.bound))
	if err == nil {
		r.Samples, r.Warnings, err = decode(resp, body)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		r.Err = ended(ctx.Err())
	case own.Err() != nil:
		r.Err = queryError{text: fmt.Sprintf("%s did not answer within %s", s.host, s.timeout), cause: own.Err()}
	default:
		r.Err = s.explain(err)
	}
	return r
}

// wholeSeconds rounds up: Prometheus does not read "1.5s".
func wholeSeconds(timeout time.Duration) time.Duration {
	return (timeout + time.Second - 1).Truncate(time.Second)
}
