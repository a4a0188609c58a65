package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/serin-cd/serin/deployments"
)

// ErrNobody says that a request got no answer.
var ErrNobody = errors.New("nobody answered")

// Client asks workers.
type Client struct {
	Conn    *nats.Conn
	Names   Names
	Timeout time.Duration // of one request; 0: 5 s
}

// Command orders something of a slot. body is what goes with it, as JSON; nil: nothing. A refusal is a Reply that is
// not OK, without an error.
func (c Client) Command(ctx context.Context, s deployments.Slot, verb string, body any) (Reply, error) {
	return c.request(ctx, c.Names.Subject("cmd", s.Subject(), verb), s, body, "is serin serve running?")
}

// Ack acknowledges a request for traffic or a rollback.
func (c Client) Ack(ctx context.Context, s deployments.Slot, body any) (Reply, error) {
	return c.request(ctx, c.Names.Subject("ack", s.Subject()), s, body, "is serin serve running?")
}

// Ask asks the worker that holds a slot.
func (c Client) Ask(ctx context.Context, s deployments.Slot, body any) (Reply, error) {
	return c.request(ctx, c.Names.Subject("ask", s.Subject()), s, body, "no worker holds the slot's partition; during a fail-over that passes within seconds")
}

// request asks and waits. ErrNobody: it cannot be told whether anybody has heard.
func (c Client) request(ctx context.Context, subject string, s deployments.Slot, body any, hint string) (Reply, error) {
	if err := s.Validate(); err != nil {
		return Reply{}, err
	}
	return c.ask(ctx, subject, body, hint)
}

func (c Client) ask(ctx context.Context, subject string, body any, hint string) (Reply, error) {
	var data []byte
	var err error
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return Reply{}, fmt.Errorf("ask %s: %w", subject, err)
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	msg, err := c.exchange(limited, subject, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders), err != nil && ctx.Err() == nil && limited.Err() != nil:
		return Reply{}, fmt.Errorf("ask %s: %w: %s", subject, ErrNobody, hint)
	case err != nil:
		return Reply{}, fmt.Errorf("ask %s: %w", subject, err)
	}
	var reply Reply
	if err := json.Unmarshal(msg.Data, &reply); err != nil {
		return Reply{}, fmt.Errorf("ask %s: the answer cannot be read: %w", subject, err)
	}
	return reply, nil
}

// exchange sends a request and waits for its reply. The server answers one that is not allowed with a complaint on the
// connection and no reply: it is there before the answer to a ping.
func (c Client) exchange(ctx context.Context, subject string, data []byte) (*nats.Msg, error) {
	inbox := c.Conn.NewInbox()
	sub, err := c.Conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.Conn.PublishRequest(subject, inbox, data); err != nil {
		return nil, err
	}
	if err := c.Conn.FlushWithContext(ctx); err != nil {
		return nil, err
	}
	if last := c.Conn.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		switch {
		case strings.Contains(last.Error(), `"`+subject+`"`):
			return nil, last
		case strings.Contains(last.Error(), inbox):
			return nil, fmt.Errorf("%w: give the inbox prefix of your user", last)
		}
	}
	msg, err := sub.NextMsgWithContext(ctx)
	if err == nil && len(msg.Data) == 0 && msg.Header.Get("Status") == "503" {
		err = nats.ErrNoResponders
	}
	return msg, err
}
