package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/standardwebhooks"
)

// Webhook sends events themselves, as CloudEvents over HTTP in binary mode, signed as Standard Webhooks has it.
type Webhook struct {
	URL        string
	SecretFile string           // read again for each event
	HTTP       *http.Client     // nil: the default client with a timeout of 10 s; redirects are never followed
	Now        func() time.Time // nil: time.Now
}

// Deliver sends the event in one try. Every try of one event has the same id, in ce-id, Webhook-Id and Idempotency-Key.
// An error is a [*RetryAfterError] (429, 408, 425, 5xx, no answer, no secret), or a [*deployments.RefusedError].
func (w Webhook) Deliver(ctx context.Context, e deployments.Event) error { return w.send(ctx, e, 0) }

// send sends an event, the first time or again.
func (w Webhook) send(ctx context.Context, e deployments.Event, again int) error {
	keys, err := standardwebhooks.Secrets(w.SecretFile)
	if err != nil {
		return later(err)
	}
	body, err := json.Marshal(e.Data)
	if err != nil {
		return refuse(fmt.Errorf("write event %s: %w", e.ID, err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return refuse(errors.New("tell webhook: its address is no URL"))
	}
	id := e.ID
	if again > 0 {
		id += "/again/" + strconv.Itoa(again)
		request.Header.Set("ce-again", strconv.Itoa(again))
	}
	cloudEvent(request.Header, e, id)
	request.Header.Set("Idempotency-Key", headerValue(id))
	at := now(w.Now)
	standardwebhooks.Sign(request.Header, keys, headerValue(id), at, body)
	redact := redactor(w.URL)
	response, err := client(w.HTTP).Do(request)
	if err != nil {
		return unreached("tell webhook", err, redact)
	}
	defer response.Body.Close()
	return judge("tell webhook", response, plain(redact(beginning(response.Body)), maxAnswer), at)
}

// render is what is sent of an event, without a signature.
func (w Webhook) render(e deployments.Event) any {
	h := http.Header{}
	cloudEvent(h, e, e.ID)
	h.Set("Idempotency-Key", headerValue(e.ID))
	return struct {
		Headers http.Header           `json:"headers"`
		Body    deployments.EventData `json:"body"`
	}{h, e.Data}
}

// cloudEvent sets the attributes of an event, the same as on NATS.
func cloudEvent(h http.Header, e deployments.Event, id string) {
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "serin")
	for name, value := range map[string]string{
		"specversion": "1.0", "id": id, "type": "io.serin." + e.Name + ".v1", "source": "serin/" + e.Slot.String(),
		"time": e.Time.UTC().Format(time.RFC3339Nano), "severity": string(e.Severity), "releaseid": e.Data.Release, "subject": e.Data.Rollout,
		"traceparent": e.Trace.Parent, "tracestate": e.Trace.State,
	} {
		if value != "" {
			h.Set("ce-"+name, headerValue(value))
		}
	}
	if e.Trace.Parent != "" { // for what traces requests and knows no CloudEvents
		h.Set("traceparent", e.Trace.Parent)
	}
	if e.Data.Rev > 0 {
		h.Set("ce-sequence", strconv.FormatUint(e.Data.Rev, 10))
	}
}

// headerValue makes a header's value of any text, as CloudEvents over HTTP asks for: percent-encoded where it is no
// printable ASCII, or a quote, a space or a percent sign.
func headerValue(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
