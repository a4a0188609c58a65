package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
)

const (
	slackTimeout = 10 * time.Second // of one try
	defaultRetry = 10 * time.Second // where the receiver names no time
	longestRetry = 15 * time.Minute // whatever the receiver names
	maxAnswer    = 200              // UTF-16 units of the receiver's answer in an error
)

// Slack tells a channel through an incoming webhook.
type Slack struct {
	URL  string           // of the webhook: a secret
	HTTP *http.Client     // nil: the default client with a timeout of 10 s; redirects are never followed
	Now  func() time.Time // nil: time.Now; for a Retry-After that is a date
}

// Wants reports whether an event is for Slack.
func (s Slack) Wants(e deployments.Event) bool { return wanted(e) }

// Deliver sends the event in one try; an event that is not for Slack is nothing to do. An error is a
// [*RetryAfterError], or a [*deployments.RefusedError] that carries Slack's own word, such as no_service.
func (s Slack) Deliver(ctx context.Context, e deployments.Event) error {
	message, ok := Render(e)
	if !ok {
		return nil
	}
	body, err := json.Marshal(message)
	if err != nil {
		return refuse(fmt.Errorf("write slack message: %w", err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return refuse(errors.New("tell slack: the webhook's address is no URL"))
	}
	request.Header.Set("Content-Type", "application/json")
	// Slack ignores it. A receiver of somebody else's drops by it what it was told before.
	request.Header.Set("Idempotency-Key", e.ID)
	response, err := s.client().Do(request)
	if err != nil {
		return &RetryAfterError{After: defaultRetry, Err: fmt.Errorf("tell slack: %w", s.withoutURL(err))}
	}
	defer response.Body.Close()
	return s.answer(response)
}

// client is the caller's client, except that a redirect is an answer: no other host is told the message.
func (s Slack) client() *http.Client {
	client := http.Client{Timeout: slackTimeout}
	if s.HTTP != nil {
		client = *s.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// answer is the error that an answer stands for.
func (s Slack) answer(response *http.Response) error {
	const most = 4 << 10
	body, _ := io.ReadAll(io.LimitReader(response.Body, most)) // what was cut off is only missing from the error
	said := plain(s.redact(string(body)), maxAnswer)
	status := response.StatusCode
	switch {
	case status >= 200 && status < 300 && !strings.HasPrefix(said, "<"):
		return nil // a message that was taken is not sent again because its "ok" was cut off
	case status >= 200 && status < 300:
		return refuse(fmt.Errorf("tell slack: answered by a web page, not by a webhook: %s", said))
	}
	problem := fmt.Errorf("tell slack: answered %d %s", status, http.StatusText(status))
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
	return &RetryAfterError{After: s.retryAfter(response.Header.Get("Retry-After")), Err: problem}
}

// retryAfter reads seconds or a date.
func (s Slack) retryAfter(header string) time.Duration {
	wait := defaultRetry
	if n, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now(s.Now))
	}
	return min(max(wait, time.Second), longestRetry)
}

// withoutURL is err without the address that net/http writes into its errors.
func (s Slack) withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if text := s.redact(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// redact takes the webhook's address, and the part of it that is the secret, out of a text.
func (s Slack) redact(text string) string {
	if s.URL == "" {
		return text
	}
	text = strings.ReplaceAll(text, s.URL, "[webhook]")
	if u, err := url.Parse(s.URL); err == nil && len(u.Path) > 1 {
		text = strings.ReplaceAll(text, u.Path, "[webhook]")
	}
	return text
}

func refuse(err error) error { return deployments.Refuse("notify_refused", err) }

func now(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now()
	}
	return clock()
}
