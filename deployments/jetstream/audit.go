package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// Audit keeps the records of what was done to flags.
type Audit struct {
	JS    jetstream.JetStream
	Names Names
}

// subject is that of a flag's records. A key may have dots: they part tokens.
func (a Audit) subject(environment, flag string) string {
	return a.Names.Subject("audit", environment, flag)
}

// Record writes a record. The same again, within ten minutes, is written once: a wish is tried until it is confirmed.
func (a Audit) Record(ctx context.Context, c deployments.FlagChange) error {
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("record flag %s: %w", c.Flag, err)
	}
	id := ""
	if c.Rollout != "" { // of a person each is another
		key, err := json.Marshal([]any{c.Environment, c.Flag, c.Rollout, c.Seq, string(c.After), c.Error, c.Outcome})
		if err != nil {
			return fmt.Errorf("record flag %s: %w", c.Flag, err)
		}
		sum := sha256.Sum256(key)
		id = hex.EncodeToString(sum[:16])
	}
	msg := &nats.Msg{Subject: a.subject(c.Environment, c.Flag), Data: body, Header: nats.Header{}}
	if id != "" {
		msg.Header.Set(jetstream.MsgIDHeader, id)
	}
	if _, err := a.JS.PublishMsg(ctx, msg, jetstream.WithExpectStream(a.Names.Stream(AuditStream))); err != nil {
		return fmt.Errorf("record flag %s: %w", c.Flag, err)
	}
	return nil
}

// Read delivers the records of a flag, oldest first; of all flags of the environment where flag is "".
func (a Audit) Read(ctx context.Context, environment, flag string, deliver func(deployments.FlagChange) error) error {
	filter := a.Names.Subject("audit", environment, ">")
	if flag != "" {
		filter = a.subject(environment, flag)
	}
	r := reader{a.JS, a.Names.Stream(AuditStream), jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, FilterSubject: filter}, orDiscard(nil)}
	limited, cancel := context.WithTimeout(ctx, localWait)
	first, err := r.open(limited)
	cancel()
	if err != nil {
		return err
	}
	err = r.run(ctx, first, sink{
		each: func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
			var c deployments.FlagChange
			if json.Unmarshal(msg.Data(), &c) != nil {
				return nil // somebody else's
			}
			return deliver(c)
		},
		caughtUp: func() error { return errEnough },
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
