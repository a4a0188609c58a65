package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const postMessage = "chat.postMessage"

// webAPI is Slack's Web API.
type webAPI struct {
	base, tokenFile string
	http            *http.Client
	now             func() time.Time
}

// webAnswer is what Slack's methods answer, as far as it counts here.
type webAnswer struct {
	OK       bool         `json:"ok"`
	Error    string       `json:"error"`
	Needed   string       `json:"needed"`
	Channel  string       `json:"channel"`
	TS       string       `json:"ts"`
	Messages []webMessage `json:"messages"`
	Channels []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channels"`
	More struct {
		Next     string   `json:"next_cursor"`
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
}

type webMessage struct {
	TS       string   `json:"ts"`
	Metadata metadata `json:"metadata"`
}

// metadata marks a message as ours, for the case that the answer to it is lost.
type metadata struct {
	Type    string `json:"event_type"`
	Payload mark   `json:"event_payload"`
}

// mark says which message of ours it is.
type mark struct {
	Key string `json:"key"` // of what shares a message
	ID  string `json:"id"`  // of the event, or cardID
}

// data is a mark as Slack keeps it.
func (m mark) data() metadata { return metadata{"serin_told", m} }

// callError is why a call failed.
type callError struct {
	code    string // Slack's word, if it said one
	unknown bool   // it may have been carried out all the same
	err     error  // a RetryAfterError or a RefusedError
}

// Error is why, in words.
func (e *callError) Error() string { return e.err.Error() }

// Unwrap is the error that says whether to try again.
func (e *callError) Unwrap() error { return e.err }

// fate says what one of Slack's words means for a call. What is not listed is refused for good.
var fate = map[string]struct {
	after   time.Duration
	unknown bool
}{
	"ratelimited": {after: defaultRetry}, "rate_limited": {after: defaultRetry}, "message_limit_exceeded": {after: mendRetry},
	"internal_error": {defaultRetry, true}, "fatal_error": {defaultRetry, true}, "request_timeout": {defaultRetry, true}, "service_unavailable": {defaultRetry, true},
	"team_added_to_org": {after: mendRetry}, "org_login_required": {after: mendRetry},
	// A person may put another token into the file.
	"invalid_auth": {after: mendRetry}, "not_authed": {after: mendRetry}, "token_expired": {after: mendRetry}, "token_revoked": {after: mendRetry}, "account_inactive": {after: mendRetry},
}

// cures are what a person can do.
var cures = map[string]string{
	"not_in_channel": "invite the app to the channel: /invite @APP", "channel_not_found": "write the channel's id, or invite the app to the private channel",
	"missing_scope": "give the app the scope that is missing, and install it again", "invalid_auth": "put a bot token (xoxb-…) of this workspace into the file",
	"not_allowed_token_type": "use a bot token (xoxb-…)", "is_archived": "unarchive the channel, or name another one",
	"token_revoked": "put a new bot token into the file", "token_expired": "put a new bot token into the file", "account_inactive": "put a bot token of an active app into the file",
}

// gone are the words that say that a message is not there any more, or cannot be edited.
var gone = map[string]bool{"message_not_found": true, "thread_not_found": true, "edit_window_closed": true, "cant_update_message": true}

// post calls a method that writes.
func (a webAPI) post(ctx context.Context, method string, body any) (webAnswer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return webAnswer{}, &callError{err: refuse(fmt.Errorf("write slack message: %w", err))}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/"+method, bytes.NewReader(text))
	if err != nil {
		return webAnswer{}, &callError{err: refuse(errors.New("tell slack: api_url is no URL"))}
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	return a.do(method, request)
}

// get calls a method that reads.
func (a webAPI) get(ctx context.Context, method string, query url.Values) (webAnswer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/"+method+"?"+query.Encode(), nil)
	if err != nil {
		return webAnswer{}, &callError{err: refuse(errors.New("ask slack: api_url is no URL"))}
	}
	return a.do(method, request)
}

func (a webAPI) do(method string, request *http.Request) (webAnswer, error) {
	token, err := secretIn(a.tokenFile, "the Slack token")
	if err != nil {
		return webAnswer{}, &callError{err: later(err)}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	redact := func(s string) string { return strings.ReplaceAll(s, token, "[token]") }
	what := "tell slack: " + method
	response, err := client(a.http).Do(request)
	if err != nil {
		dial, dialing := errors.AsType[*net.OpError](err)
		return webAnswer{}, &callError{unknown: !dialing || dial.Op != "dial", err: unreached(what, err, redact)}
	}
	defer response.Body.Close()
	return a.read(method, what, response, redact)
}

// read is what an answer means. Slack says most of what is wrong with status 200.
func (a webAPI) read(method, what string, response *http.Response, redact func(string) string) (webAnswer, error) {
	const largest = 4 << 20
	var answer webAnswer
	at := now(a.now)
	raw := http.MaxBytesReader(nil, response.Body, largest)
	unread := json.NewDecoder(raw).Decode(&answer)
	if err := judge(what, response, plain(redact(answer.Error), maxAnswer), at); err != nil {
		return answer, &callError{code: answer.Error, unknown: response.StatusCode >= 500, err: err}
	}
	switch {
	case unread != nil, !answer.OK && answer.Error == "", answer.OK && method == postMessage && (answer.TS == "" || answer.Channel == ""):
		return answer, &callError{unknown: true, err: &RetryAfterError{After: defaultRetry, Err: fmt.Errorf("%s: the answer cannot be read", what)}}
	case answer.OK:
		return answer, nil
	}
	said := strings.Join(compact(append([]string{answer.Error, cures[answer.Error], answer.Needed}, answer.More.Messages...)), ": ")
	problem := fmt.Errorf("%s: %s", what, plain(redact(said), maxReason))
	f, again := fate[answer.Error]
	if !again {
		return answer, &callError{code: answer.Error, err: refuse(problem)}
	}
	wait := f.after
	if h := response.Header.Get("Retry-After"); h != "" {
		wait = retryAfter(h, at)
	}
	return answer, &callError{code: answer.Error, unknown: f.unknown, err: &RetryAfterError{After: wait, Err: problem}}
}
