package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/standardwebhooks"
)

const (
	callTimeout = 10 * time.Second
	largest     = 4 << 20 // bytes of an answer
	firstPause  = 100 * time.Millisecond
	longestWait = 5 * time.Second
	patience    = 30 * time.Second // where the context has no end of its own
)

// caller sends signed requests.
type caller struct {
	url, secretFile string
	client          *http.Client
	now             func() time.Time
}

func newCaller(src flags.Source, client *http.Client, now func() time.Time) caller {
	own := http.Client{Timeout: callTimeout}
	if client != nil {
		own = *client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return caller{src.URL, src.SecretFile, &own, now}
}

// retriedError is the error of a try after one whose outcome nobody knows.
type retriedError struct{ first, last error }

func (e *retriedError) Error() string { return e.last.Error() }
func (e *retriedError) Unwrap() error { return e.last }

// call posts the body, again and again until there is an answer that is final or ctx ends. The id stays the same.
func (c caller) call(ctx context.Context, id string, body []byte) ([]byte, error) {
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	var unknown error
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		text, again, after, err := c.once(ctx, id, body)
		if err != nil && unknown != nil {
			err = &retriedError{first: unknown, last: err}
		}
		if err == nil || !again {
			return text, err
		}
		unknown = err
		if after == 0 {
			after = pause/2 + rand.N(pause)
		}
		if end, _ := ctx.Deadline(); time.Until(end) < after {
			return nil, err
		}
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// once posts the body. It says whether, and after what time, another try makes sense.
func (c caller) once(ctx context.Context, id string, body []byte) (text []byte, again bool, after time.Duration, err error) {
	keys, err := standardwebhooks.Secrets(c.secretFile)
	if err != nil {
		return nil, false, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, false, 0, errors.New("the webhook's URL is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "serin")
	req.Header.Set("Idempotency-Key", id)
	standardwebhooks.Sign(req.Header, keys, id, c.now(), body)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, true, 0, fmt.Errorf("ask the webhook: %w", err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, largest+1))
	switch {
	case err != nil:
		return nil, true, 0, fmt.Errorf("read the webhook's answer: %w", err)
	case len(text) > largest:
		return nil, false, 0, fmt.Errorf("the webhook's answer is larger than %d bytes", largest)
	}
	again = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	return text, again, c.retryAfter(resp.Header.Get("Retry-After")), statusError(resp.StatusCode, text)
}

// statusError is what a status means; nil for 2xx.
func statusError(status int, text []byte) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusNotFound:
		return fmt.Errorf("%w (the webhook says: %s)", flags.ErrNotFound, plain(text))
	case status == http.StatusConflict:
		return fmt.Errorf("%w (the webhook says: %s)", flags.ErrConflict, plain(text))
	case status >= 300 && status < 400:
		return fmt.Errorf("the webhook answers %d: a redirect is not followed: name the final URL", status)
	default:
		return fmt.Errorf("the webhook answers %d: %s", status, plain(text))
	}
}

// plain is the beginning of a receiver's text, on one line.
func plain(text []byte) string {
	words := strings.Join(strings.FieldsFunc(string(text[:min(len(text), 300)]), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if words == "" {
		return "nothing"
	}
	return words
}

// retryAfter reads seconds or a date; 0 without either.
func (c caller) retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(c.now()), 0)
	}
	return 0
}
