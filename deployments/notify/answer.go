package notify

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// client is the caller's client or one of our own, except that a redirect is an answer: no other host is told anything.
func client(given *http.Client) *http.Client {
	own := http.Client{Timeout: tryTimeout}
	if given != nil {
		own = *given
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// judge is the error that a status stands for: nil, one that asks for another try, or a refusal.
func judge(what string, response *http.Response, said string, at time.Time) error {
	status := response.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	problem := fmt.Errorf("%s: answered %d %s", what, status, http.StatusText(status))
	if said != "" {
		problem = fmt.Errorf("%w: %s", problem, said)
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
	default:
		if status < 500 {
			return refuse(problem)
		}
	}
	return &RetryAfterError{After: retryAfter(response.Header.Get("Retry-After"), at), Err: problem}
}

// retryAfter reads seconds or a date.
func retryAfter(header string, at time.Time) time.Duration {
	wait := defaultRetry
	if n, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		wait = time.Duration(n) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(at)
	}
	return min(max(wait, time.Second), longestRetry)
}

// beginning is as much of an answer as is worth reading.
func beginning(r io.Reader) string {
	const most = 4 << 10
	body, _ := io.ReadAll(io.LimitReader(r, most)) // what was cut off is only missing from an error
	return string(body)
}

// unreached is the error of a request without an answer, without the address that net/http writes into it.
func unreached(what string, err error, redact func(string) string) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if text := redact(err.Error()); text != err.Error() {
		err = errors.New(text)
	}
	return &RetryAfterError{After: defaultRetry, Err: fmt.Errorf("%s: %w", what, err)}
}

// redactor takes an address, and the parts of it that are secret, out of a text.
func redactor(address string) func(string) string {
	return func(text string) string {
		if address == "" {
			return text
		}
		text = strings.ReplaceAll(text, address, "[webhook]")
		if u, err := url.Parse(address); err == nil {
			for _, part := range []string{u.RequestURI(), u.Path, u.RawQuery} {
				if len(part) > 1 {
					text = strings.ReplaceAll(text, part, "[webhook]")
				}
			}
		}
		return text
	}
}

// secretIn reads a secret from its file, at each use: it may be replaced while Serin runs.
func secretIn(file, what string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("read %s: %s has not one line", what, file)
	}
	return secret, nil
}

// later asks for another try, for a reason that somebody may mend meanwhile.
func later(err error) error { return &RetryAfterError{After: mendRetry, Err: err} }
