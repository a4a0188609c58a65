package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds one answer, in bytes. A rule needs a few elements: what is longer is a mistake in its query.
const maxAnswer = 16 << 20

// transport is the API library's way to the server. Other than the library's own it reads the body without a second
// goroutine, up to maxAnswer, and keeps the status of a refusal.
type transport struct {
	endpoint *url.URL
	client   *http.Client
}

// URL is where the API's endpoint is. Those of queries have no parameters in their path.
func (t transport) URL(endpoint string, _ map[string]string) *url.URL {
	u := *t.endpoint
	u.Path += endpoint
	return &u
}

var (
	errTooLong = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	errPartial = errors.New("the answer is partial: not all storage nodes answered")
)

// Do sends the request and reads the answer. With an error for its status the response is returned too: the library
// asks again by GET where POST is refused.
func (t transport) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	req.Header.Set("User-Agent", "serin") // here, for the library's option would copy each request
	resp, err := t.client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := readBody(resp)
	switch {
	case err != nil:
		return resp, nil, err
	case resp.StatusCode/100 != 2:
		return resp, nil, refused(resp, body)
	case bytes.Contains(body, []byte(`"isPartial":true`)):
		// VictoriaMetrics says so beside the data, where the library does not look. In a label's value the quotes
		// would be escaped.
		return resp, nil, errPartial
	}
	return resp, body, nil
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
