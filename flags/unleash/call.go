package unleash

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

const (
	callTakes   = 10 * time.Second
	answerBytes = 4 << 20
	shownBytes  = 300
	waitsAtMost = 30 * time.Second // for a Retry-After
	callsAtMost = 4                // of one that is answered 429
)

// refusal is an answer that is not 2xx.
type refusal struct {
	status  int
	message string // of the server, bounded
	after   time.Duration
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("Unleash answered %d", r.status)
	if r.message != "" {
		text += ": " + r.message
	}
	switch r.status {
	case http.StatusUnauthorized:
		text += "; look at the token in its file"
	case http.StatusForbidden:
		text += "; " + ErrNeedsApproval.Error()
	}
	return text
}

// Is makes a status the error that callers know.
func (r *refusal) Is(target error) bool {
	return target == flags.ErrNotFound && r.status == http.StatusNotFound ||
		target == ErrNeedsApproval && r.status == http.StatusForbidden
}

// call asks once, and again where the server says when.
func (u *Unleash) call(ctx context.Context, method, address, tokenFile string, body, into any) error {
	for n := 1; ; n++ {
		err := u.once(ctx, method, address, tokenFile, body, into)
		var r *refusal
		if !errors.As(err, &r) || r.status != http.StatusTooManyRequests || n == callsAtMost || r.after > waitsAtMost {
			return err
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < r.after {
			return err
		}
		if !wait(ctx, r.after) {
			return err
		}
	}
}

func (u *Unleash) once(ctx context.Context, method, address, tokenFile string, body, into any) error {
	token, err := readToken(tokenFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, callTakes, fmt.Errorf("Unleash did not answer within %s", callTakes))
	defer cancel()
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(marshal(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return fmt.Errorf("ask Unleash: %w", err)
	}
	req.Header.Set("Authorization", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.client.Do(req)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes+1))
	switch {
	case err != nil:
		return unanswered(ctx, err)
	case len(data) > answerBytes:
		return fmt.Errorf("Unleash's answer is longer than %d MiB", answerBytes>>20)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &refusal{resp.StatusCode, said(data, token), retryAfter(resp.Header.Get("Retry-After"))}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("Unleash's answer is not what was asked for (is the URL that of Unleash?): %w", err)
	}
	return nil
}

// unanswered keeps the address, with its query, out of the error.
func unanswered(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("ask Unleash: %w", cause)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("ask Unleash: %w", err)
}

func readToken(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read Unleash's token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("read Unleash's token: %s does not hold one line with a token", file)
	}
	return token, nil
}

// said is the server's message on one line, without the token, should it be repeated there.
func said(data []byte, token string) string {
	var answer struct{ Message string }
	if json.Unmarshal(data, &answer) != nil {
		return ""
	}
	text := strings.ReplaceAll(answer.Message, token, "…")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(text) > shownBytes {
		text = strings.ToValidUTF8(text[:shownBytes], "") + "…"
	}
	return text
}

// retryAfter reads seconds or a date; without either it is a second.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return time.Second
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
