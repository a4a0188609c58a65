package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
)

const (
	tryTimeout   = 10 * time.Second // of one try
	defaultRetry = 10 * time.Second // where the receiver names no time
	longestRetry = 15 * time.Minute // whatever the receiver names
	mendRetry    = time.Minute      // where a person may mend a file
	maxAnswer    = 200              // UTF-16 units of the receiver's answer in an error
)

// Slack tells a channel through an incoming webhook.
type Slack struct {
	URL   string           // of the webhook: a secret
	File  string           // with the URL, where that is "": it is read again for each message
	HTTP  *http.Client     // nil: the default client with a timeout of 10 s; redirects are never followed
	Now   func() time.Time // nil: time.Now; for a Retry-After that is a date
	Words *Template        // nil: Serin's own
}

// Wants reports whether an event is for Slack.
func (s Slack) Wants(e deployments.Event) bool { return wanted(e) }

// Deliver sends the event in one try; an event that is not for Slack is nothing to do. An error is a
// [*RetryAfterError], or a [*deployments.RefusedError] that carries Slack's own word, such as no_service.
func (s Slack) Deliver(ctx context.Context, e deployments.Event) error {
	if !wanted(e) {
		return nil
	}
	return s.Send(ctx, e)
}

// Send sends any event, as Deliver does.
func (s Slack) Send(ctx context.Context, e deployments.Event) error {
	return s.send(ctx, e.ID, message(e, s.Words, 0))
}

func (s Slack) send(ctx context.Context, id string, m Message) error {
	address, err := s.address()
	if err != nil {
		return later(err)
	}
	redact := redactor(address)
	body, err := json.Marshal(m)
	if err != nil {
		return refuse(fmt.Errorf("write slack message: %w", err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return refuse(errors.New("tell slack: the webhook's address is no URL"))
	}
	request.Header.Set("Content-Type", "application/json")
	// Slack ignores it. A receiver of somebody else's drops by it what it was told before.
	request.Header.Set("Idempotency-Key", id)
	response, err := client(s.HTTP).Do(request)
	if err != nil {
		return unreached("tell slack", err, redact)
	}
	defer response.Body.Close()
	return s.answer(response, redact)
}

func (s Slack) address() (string, error) {
	if s.URL != "" {
		return s.URL, nil
	}
	return secretIn(s.File, "the Slack webhook")
}

// answer is the error that an answer stands for.
func (s Slack) answer(response *http.Response, redact func(string) string) error {
	said := plain(redact(beginning(response.Body)), maxAnswer)
	if status := response.StatusCode; status >= 200 && status < 300 && strings.HasPrefix(said, "<") {
		return refuse(fmt.Errorf("tell slack: answered by a web page, not by a webhook: %s", said))
	}
	return judge("tell slack", response, said, now(s.Now)) // a message that was taken is not sent again because its "ok" was cut off
}

func refuse(err error) error { return deployments.Refuse("notify_refused", err) }

func now(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now()
	}
	return clock()
}
