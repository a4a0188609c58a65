package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// offersWait is how long a running worker may take to say that it offers a policy. One that says nothing, and is
// connected, is taken to offer it.
const offersWait = 500 * time.Millisecond

// maxOffers is how many policies of a slot are remembered in their order.
const maxOffers = 32

// offer is the value of a slot's key: the policy of new releases on the first line, then all that were in the order in
// which they first became it.
type offer struct {
	accepted string
	history  []string
}

func parseOffer(text string) offer {
	lines := strings.Split(text, "\n")
	o := offer{accepted: lines[0], history: lines[1:]}
	if !slices.Contains(o.history, o.accepted) {
		o.history = append(o.history, o.accepted)
	}
	return o
}

func (o offer) String() string { return strings.Join(append([]string{o.accepted}, o.history...), "\n") }

// later reports whether a policy became the slot's first after the one that is it now: that one was taken out of an old
// directory.
func (o offer) later(hash string) bool {
	return slices.Index(o.history, hash) > slices.Index(o.history, o.accepted)
}

// with is the offer with another policy accepted.
func (o offer) with(hash string) offer {
	next := offer{accepted: hash, history: slices.Clone(o.history)}
	if !slices.Contains(next.history, hash) {
		next.history = append(next.history, hash)
	}
	if surplus := len(next.history) - maxOffers; surplus > 0 {
		next.history = next.history[surplus:]
	}
	return next
}

// Offer makes a policy that of a slot's new releases. deployments.ErrStays: a running worker offers the present one,
// which is no older; it stays.
func (p *Policies) Offer(ctx context.Context, s deployments.Slot, hash string) error {
	if _, err := hashKey(hash); err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return err
	}
	for {
		err := p.tryOffer(ctx, "slot."+s.Subject(), hash)
		if errors.Is(err, jetstream.ErrKeyExists) { // somebody else was faster: look again
			continue
		}
		if err != nil && !errors.Is(err, deployments.ErrStays) {
			err = fmt.Errorf("offer policy for %s: %w", s, err)
		}
		return err
	}
}

func (p *Policies) tryOffer(ctx context.Context, key, hash string) error {
	entry, err := p.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		_, err = p.kv.Create(ctx, key, []byte(offer{accepted: hash, history: []string{hash}}.String()))
		return err
	}
	if err != nil {
		return err
	}
	now := parseOffer(string(entry.Value()))
	if now.accepted == hash {
		return nil
	}
	if !now.later(hash) {
		offered, err := p.offeredNow(ctx, now.accepted)
		if err != nil {
			return err
		}
		if offered {
			return deployments.ErrStays
		}
	}
	_, err = p.kv.Update(ctx, key, []byte(now.with(hash).String()), entry.Revision())
	return err
}

// Stands reports whether a running worker offers the policy that counts for a slot.
func (p *Policies) Stands(ctx context.Context, s deployments.Slot) (bool, error) {
	hash, err := p.Offered(ctx, s)
	if err != nil {
		return false, err
	}
	return p.offeredNow(ctx, hash)
}

// offeredNow reports whether a running worker offers the policy.
func (p *Policies) offeredNow(ctx context.Context, hash string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, offersWait)
	defer cancel()
	_, err := p.conn.RequestWithContext(ctx, p.names.Subject("offers", strings.TrimPrefix(hash, "sha256:")), nil)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return false, nil
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return true, nil
	}
	return false, err
}

// Offers lets other workers find out that this one offers these policies, for as long as it is connected.
func (p *Policies) Offers(hashes []string) error {
	for _, hash := range hashes {
		if _, err := p.conn.Subscribe(p.names.Subject("offers", strings.TrimPrefix(hash, "sha256:")), func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			return fmt.Errorf("say which policies are offered: %w", err)
		}
	}
	return p.conn.Flush()
}
