package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// queryError is why one query has no answer: a short text without credentials.
type queryError struct {
	text  string
	cause error // a context's error, or nil: others may hold a URL
}

func (e queryError) Error() string { return e.text }

func (e queryError) Unwrap() error { return e.cause }

// ended is the error of a query whose call was ended.
func ended(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return queryError{text: "there was no time left to ask prometheus", cause: cause}
	}
	return queryError{text: "asking prometheus was canceled", cause: cause}
}

// explain puts the errors that people meet into words.
func (s *server) explain(err error) error {
	var own queryError
	var api *v1.Error
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var file *fs.PathError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &api) && api.Type == v1.ErrBadResponse:
		return queryError{text: clean("the answer of " + s.host + " is not Prometheus' JSON: " + api.Msg)}
	case errors.As(err, &api):
		return queryError{text: clean(api.Error())}
	case errors.Is(err, syscall.ECONNREFUSED):
		return queryError{text: "connection refused by " + s.host}
	case errors.As(err, &dns) && dns.IsNotFound:
		return queryError{text: "no such host: " + s.host}
	case errors.As(err, &file):
		return queryError{text: clean(file.Error())} // a secret's file
	case errors.As(err, &cert):
		return queryError{text: clean("the certificate of " + s.host + " is not trusted: " + innermost(err))}
	case errors.Is(err, http.ErrSchemeMismatch):
		return queryError{text: s.host + " does not speak TLS: write http://"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return queryError{text: "the answer of " + s.host + " was cut off"}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return queryError{text: s.host + " closed the connection"}
	}
	return queryError{text: clean("ask " + s.host + ": " + innermost(err))}
}

// innermost is the error without the method and URL that net/http puts before it.
func innermost(err error) string {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return err.Error()
}

// maxText bounds a text that comes from a server, in runes.
const maxText = 300

// clean makes a foreign text fit for one line: no control characters, and no more than maxText runes.
func clean(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
	if len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return string(runes)
}
