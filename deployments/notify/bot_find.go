package notify

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// unseen are the words that say that Slack will not show the channel's messages to the app.
var unseen = map[string]bool{"missing_scope": true, "not_allowed_token_type": true, "not_in_channel": true, "channel_not_found": true, "no_permission": true,
	"access_denied": true, "unknown_method": true}

// find looks for a message whose answer was lost, by its metadata. ts is "" and err nil when it was never posted: then it
// may be. Where nobody can look, that is assumed once the try is stale.
func (b *Bot) find(ctx context.Context, t *thread, key, id string, tried time.Time) (ts string, err error) {
	age := now(b.clock).Sub(tried)
	if t.Channel == "" {
		if t.Channel, err = b.lookUp(ctx); err != nil {
			return "", err
		}
	}
	method, query := "conversations.history", url.Values{"channel": {t.Channel}}
	if id != cardID {
		method = "conversations.replies"
		query.Set("ts", t.TS)
	}
	if t.Channel != "" {
		ts, err = b.search(ctx, method, query, mark{key, id}, tried)
		call, failed := errors.AsType[*callError](err)
		switch {
		case err == nil && ts != "":
			return ts, nil
		case err == nil && age < settleTime:
			return "", &busyError{max(settleTime-age, time.Second), "it is not known yet whether Slack took the message"}
		case err == nil:
			return "", nil
		case !failed || !unseen[call.code]:
			return "", err
		}
	}
	if age < staleTime {
		return "", &busyError{max(staleTime-age, time.Second), "it is not known whether Slack took the message, and it does not let the app look: give it the scopes channels:history and channels:read"}
	}
	return "", nil
}

// search reads the newest messages since a try.
func (b *Bot) search(ctx context.Context, method string, query url.Values, want mark, tried time.Time) (string, error) {
	const pages, skew = 3, 2 * time.Minute
	query.Set("limit", "200")
	query.Set("include_all_metadata", "true")
	query.Set("oldest", strconv.FormatInt(tried.Add(-skew).Unix(), 10)+".000000")
	for range pages {
		answer, err := b.api.get(ctx, method, query)
		if err != nil {
			return "", err
		}
		for _, m := range answer.Messages {
			if m.Metadata == want.data() {
				return m.TS, nil
			}
		}
		if answer.More.Next == "" {
			break
		}
		query.Set("cursor", answer.More.Next)
	}
	return "", nil
}

// channelKnown is what is remembered of a channel's name.
type channelKnown struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// channel is the id of the receiver's channel, as far as it is known: Slack tells it with each message.
func (b *Bot) channel(ctx context.Context) string {
	if channelID.MatchString(b.receiver.Channel) {
		return b.receiver.Channel
	}
	var known channelKnown
	if _, err := load(ctx, b.memory, keyOf("channel", b.receiver.Name, b.receiver.Channel), &known); err != nil {
		return ""
	}
	return known.ID
}

// lookUp is the id of the receiver's channel, among those that the app is in where no message has told it yet. It is ""
// where Slack does not let the app look, or knows of none.
func (b *Bot) lookUp(ctx context.Context) (string, error) {
	const pages = 10
	if id := b.channel(ctx); id != "" {
		return id, nil
	}
	name := strings.TrimPrefix(b.receiver.Channel, "#")
	for _, kind := range []string{"public_channel", "private_channel"} { // each needs a scope of its own
		query := url.Values{"types": {kind}, "exclude_archived": {"true"}, "limit": {"200"}}
		for range pages {
			answer, err := b.api.get(ctx, "users.conversations", query)
			if call, ok := errors.AsType[*callError](err); ok && unseen[call.code] {
				break
			}
			if err != nil {
				return "", err
			}
			for _, c := range answer.Channels {
				if c.Name == name {
					b.learn(ctx, c.ID)
					return c.ID, nil
				}
			}
			if answer.More.Next == "" {
				break
			}
			query.Set("cursor", answer.More.Next)
		}
	}
	return "", nil
}

// learn remembers the id of the receiver's channel. That it fails is only a pity: it is told again with each message.
func (b *Bot) learn(ctx context.Context, id string) {
	if id == "" || channelID.MatchString(b.receiver.Channel) || b.channel(ctx) == id {
		return
	}
	key := keyOf("channel", b.receiver.Name, b.receiver.Channel)
	var known channelKnown
	revision, err := load(ctx, b.memory, key, &known)
	if err == nil {
		_, err = save(ctx, b.memory, key, channelKnown{b.receiver.Channel, id}, revision)
	}
	if err != nil {
		b.log.DebugContext(ctx, "channel not remembered", "receiver", b.receiver.Name, "error", err)
	}
}
