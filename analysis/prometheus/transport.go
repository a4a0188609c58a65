package prometheus

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds one answer, in bytes. A rule needs a few elements: what is longer is a mistake in its query.
const maxAnswer = 16 << 20

// newRequest is a query's request to an endpoint, but for what is asked.
func newRequest(endpoint *url.URL) *http.Request {
	return &http.Request{Method: http.MethodPost, URL: endpoint, Host: strings.TrimSuffix(endpoint.Host, ":"),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {"serin"},
			// Without a value it is not sent, and tells net/http that the request may be repeated on another connection
			// when a kept one turns out to be closed.
			"Idempotency-Key": nil}}
}

// form is what is asked, as a request's body.
func form(text string, at time.Time, timeout string) string {
	var buf [32]byte
	seconds := strconv.AppendFloat(buf[:0], float64(at.Unix())+float64(at.Nanosecond())/1e9, 'f', -1, 64)
	return "query=" + url.QueryEscape(text) + "&time=" + string(seconds) + "&timeout=" + timeout
}

// query asks by POST, or by GET where the server refuses that.
func (s *server) query(ctx context.Context, form string) (*http.Response, []byte, error) {
	post := s.request.WithContext(ctx)
	post.ContentLength = int64(len(form))
	post.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(form)), nil }
	post.Body, _ = post.GetBody()
	resp, body, err := s.do(post)
	if resp == nil || !postRefused(resp.StatusCode) {
		return resp, body, err
	}
	get, u := s.request.WithContext(ctx), *s.request.URL
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+form, "&")
	get.Method, get.URL, get.Header = http.MethodGet, &u, s.request.Header.Clone()
	get.Header.Del("Content-Type")
	return s.do(get)
}

func postRefused(status int) bool {
	return status == http.StatusForbidden || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented
}

var (
	errTooLong = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	errPartial = errors.New("the answer is partial: not all storage nodes answered")
)

// do sends a request and reads the answer. With an error for its status the response is returned too. The transport is
// asked itself: http.Client would only look after redirects, which are not followed, and cookies.
func (s *server) do(req *http.Request) (*http.Response, []byte, error) {
	resp, err := s.http.Transport.RoundTrip(req)
	if err != nil {
		return nil, nil, asHTTP(err)
	}
	defer resp.Body.Close()
	body, err := readBody(resp)
	switch {
	case err != nil:
		return resp, nil, err
	case resp.StatusCode/100 != 2:
		return resp, nil, refused(resp, body)
	}
	return resp, body, nil
}

// asHTTP recognizes an answer in plain HTTP to TLS, as http.Client does.
func asHTTP(err error) error {
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(plain.RecordHeader[:]) == "HTTP/" {
		return http.ErrSchemeMismatch
	}
	return err
}

func readBody(resp *http.Response) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= maxAnswer {
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(body) > maxAnswer {
		return nil, errTooLong
	}
	return body, err
}

// partial reports what VictoriaMetrics says beside the data. In a label's value the quotes would be escaped.
func partial(body []byte) bool { return bytes.Contains(body, []byte(`"isPartial":true`)) }

// refused reads why a server refuses: Prometheus' own words where there are any, else the status.
func refused(resp *http.Response, body []byte) error {
	var answer struct{ ErrorType, Error string }
	if json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		return queryError{text: clean(strings.TrimPrefix(answer.ErrorType+": "+answer.Error, ": "))}
	}
	text := fmt.Sprintf("prometheus answered %d", resp.StatusCode)
	switch {
	case resp.StatusCode/100 == 3:
		text += ", a redirect" + target(resp) + ": name the final URL"
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		text += ": check the credentials"
	case resp.StatusCode == http.StatusNotFound:
		text += ": check the URL's path"
	}
	return queryError{text: text}
}

// target is where a redirect leads, without user and query.
func target(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return ""
	}
	return clean(" to " + (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}
