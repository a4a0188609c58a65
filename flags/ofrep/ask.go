package ofrep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/flags"
)

const answerLimit = 1 << 20

// reply is what the endpoint says for one user.
type reply struct {
	Value    any            `json:"value"`
	Variant  string         `json:"variant"`
	Reason   string         `json:"reason"`
	Code     string         `json:"errorCode"`
	Details  string         `json:"errorDetails"`
	Metadata map[string]any `json:"metadata"`
}

// revision is that of the definition, where Serin answers.
func (r reply) revision() (n uint64, ours bool) {
	f, ours := r.Metadata[RevisionKey].(float64)
	return uint64(max(f, 0)), ours
}

// busyError is the time after which an endpoint that limits requests may be asked again.
type busyError time.Duration

func (b busyError) Error() string {
	return fmt.Sprintf("the endpoint limits requests (429), for %s", time.Duration(b))
}

// named is the context of a user without attributes; "" has no targeting key.
func named(user string) map[string]any {
	if user == "" {
		return map[string]any{}
	}
	return map[string]any{flags.TargetingKey: user}
}

// ask evaluates for the user whom the context who describes. An error is no answer at all.
func (c *Confirmer) ask(ctx context.Context, token, key string, who map[string]any) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"context": who})
	if err != nil {
		return reply{}, fmt.Errorf("write the context: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+url.PathEscape(key), bytes.NewReader(body))
	if err != nil {
		return reply{}, errors.New("the endpoint's URL is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("ask the OFREP endpoint: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return reply{}, fmt.Errorf("read the OFREP endpoint's answer: %w", err)
	}
	return read(res, text)
}

// read takes an answer of 200, and of 400 where it names an error code of the evaluation.
func read(res *http.Response, text []byte) (reply, error) {
	var r reply
	wrong := json.Unmarshal(bytes.TrimSpace(text), &r)
	switch status := res.StatusCode; {
	case status == http.StatusTooManyRequests:
		return reply{}, busyError(retryAfter(res.Header.Get("Retry-After")))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return reply{}, fmt.Errorf("the OFREP endpoint answers %d: check the file with its token", status)
	case wrong != nil:
		return reply{}, fmt.Errorf("the OFREP endpoint answers %d, and nothing of OFREP", status)
	case status == http.StatusOK && r.Code == "", status == http.StatusBadRequest && r.Code != "":
		return r, nil
	default:
		return reply{}, fmt.Errorf("the OFREP endpoint answers %d %s %s", status, bounded(r.Code), bounded(r.Details))
	}
}

// retryAfter reads seconds or a date; anything else is a second.
func retryAfter(text string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n >= 0 && n < 1e6 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return time.Second
}

// readToken reads the file anew each time: tokens rotate. "" is no token.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the OFREP token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("read the OFREP token: %s must hold one line with the token", path)
	}
	return token, nil
}
