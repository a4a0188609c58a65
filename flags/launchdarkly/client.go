package launchdarkly

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/flags"
)

const (
	callTimeout  = 10 * time.Second
	maxAnswer    = 4 << 20
	maxMessage   = 200
	apiVersion   = "20240415"
	semanticType = "application/json; domain-model=launchdarkly.semanticpatch"
	conflictsMet = 4 // times a 409 is tried again
	firstWait    = 50 * time.Millisecond
	longestWait  = time.Second
)

// statusError is an answer that is no success.
type statusError struct {
	status  int
	message string
	wait    time.Duration // that a rate limit asks for
}

func (e statusError) Error() string {
	text := fmt.Sprintf("LaunchDarkly answered %d", e.status)
	if e.message != "" {
		text += ": " + e.message
	}
	switch e.status {
	case http.StatusUnauthorized:
		text += " (the token file needs an API access token of LaunchDarkly, no SDK key)"
	case http.StatusForbidden:
		text += " (the token's role lacks an action; flags/README.md lists them)"
	}
	return text
}

func (e statusError) Is(target error) bool {
	switch target {
	case flags.ErrNotFound:
		return e.status == http.StatusNotFound
	case ErrNeedsApproval:
		return e.status == http.StatusMethodNotAllowed
	case flags.ErrConflict:
		return e.status == http.StatusConflict
	}
	return false
}

// admin calls the REST API with the token, as it stands in its file now.
func (s *Store) admin(ctx context.Context, method, path string, body, answer any) error {
	token, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	header := http.Header{}
	header.Set("LD-API-Version", apiVersion)
	header.Set("Authorization", strings.TrimSpace(string(token)))
	var data []byte
	if body != nil {
		header.Set("Content-Type", semanticType)
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return s.call(ctx, method, s.api+path, header, data, answer)
}

// call tries until there is an answer: it waits as long as a rate limit says, and tries a conflict of two calls again.
func (s *Store) call(ctx context.Context, method, url string, header http.Header, body []byte, answer any) error {
	wait, conflicts := firstWait, 0
	for {
		err := s.once(ctx, method, url, header, body, answer)
		var refused statusError
		if !errors.As(err, &refused) {
			return err
		}
		switch {
		case refused.status == http.StatusTooManyRequests:
			wait = max(refused.wait, wait)
		case refused.status == http.StatusConflict && conflicts < conflictsMet:
			conflicts++
		default:
			return err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return fmt.Errorf("%w; it asks to wait %s, which is too long", err, wait)
		}
		if pause(ctx, wait) != nil {
			return err
		}
		wait = min(2*wait, longestWait)
	}
}

func (s *Store) once(ctx context.Context, method, url string, header http.Header, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "Serin")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return statusError{resp.StatusCode, message(data), limit(resp.Header, time.Now())}
	case len(data) > maxAnswer:
		return errors.New("LaunchDarkly's answer is longer than 4 MiB")
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("read LaunchDarkly's answer: %w", err)
	}
	return nil
}

// message is what LaunchDarkly says of an error, on one line.
func message(data []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &said) != nil {
		return ""
	}
	words := []rune(strings.Join(strings.FieldsFunc(said.Message, func(r rune) bool { return r <= ' ' || r == 0x7f }), " "))
	return string(words[:min(len(words), maxMessage)])
}

// limit is how long a rate limit lasts: Retry-After in seconds or as a date, or X-Ratelimit-Reset in milliseconds since
// 1970. LaunchDarkly sends whichever belongs to the limit that was met.
func limit(h http.Header, now time.Time) time.Duration {
	if text := h.Get("Retry-After"); text != "" {
		if seconds, err := strconv.Atoi(text); err == nil {
			return max(0, time.Duration(seconds)*time.Second)
		}
		if at, err := http.ParseTime(text); err == nil {
			return max(0, at.Sub(now))
		}
	}
	if ms, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
		return max(0, time.UnixMilli(ms).Sub(now))
	}
	return 0
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
