package openfeature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-cd/serin/flags"
)

// Confirmer is a flags.Confirmer for the flags of all environments. It evaluates as an application would, with the
// opposite default, through its own watch of the bucket. It proves what the source serves, not that every application
// has picked it up.
type Confirmer struct {
	api    *of.EvaluationAPI
	client *of.Client
}

var _ flags.Confirmer = (*Confirmer)(nil)

// OpenConfirmer begins to follow the bucket ("" is DefaultBucket). The caller closes it.
func OpenConfirmer(ctx context.Context, js jetstream.JetStream, bucket string) (*Confirmer, error) {
	c := &Confirmer{api: isolated.NewAPI()}
	if err := c.api.SetProviderAndWait(ctx, &Provider{JetStream: js, Bucket: bucket}); err != nil {
		return nil, errors.Join(fmt.Errorf("open confirmer: %w", err), c.api.Shutdown(context.WithoutCancel(ctx)))
	}
	c.client = c.api.NewClient()
	return c, nil
}

// Close ends the watch and waits for it, at most until ctx ends.
func (c *Confirmer) Close(ctx context.Context) error { return c.api.Shutdown(ctx) }

// Confirm evaluates for synthetic users, one without a targeting key among them, for members of the audience and for such
// as lack one attribute, and again after each change of the
// flag. Confirmed: each got the variant that is due to them, without an error, at want.Revision or later, while NATS is
// there. Mismatch: somebody did not, at such a revision. Unverifiable: ctx ended before either was seen.
func (c *Confirmer) Confirm(ctx context.Context, key string, want flags.Want) (flags.Confirmation, error) {
	if !want.Sensible() {
		return flags.Confirmation{}, fmt.Errorf("confirm flag %s: %+v says not what users must get", key, want)
	}
	began := time.Now()
	changed, done := c.changes(key)
	defer done()
	_, name := flags.SplitKey(key)
	sample, others := crowd(name, want)
	for {
		seen := c.look(ctx, key, want, sample, others)
		seen.Took = time.Since(began)
		if seen.Outcome != flags.Unverifiable {
			return seen, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			seen.Took = time.Since(began)
			seen.Detail = fmt.Sprintf("%s (%v)", seen.Detail, context.Cause(ctx))
			return seen, nil
		}
	}
}

// changes has something when there is reason to look at the flag again. It is there before the first look, so that no
// change between the two is missed.
func (c *Confirmer) changes(key string) (changed <-chan struct{}, done func()) {
	ch := make(chan struct{}, 1)
	wake := func(d of.EventDetails) {
		if len(d.FlagChanges) > 0 && !slices.Contains(d.FlagChanges, key) {
			return
		}
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	c.client.AddHandler(of.ProviderConfigChange, &wake)
	c.client.AddHandler(of.ProviderReady, &wake)
	return ch, func() {
		c.client.RemoveHandler(of.ProviderConfigChange, &wake)
		c.client.RemoveHandler(of.ProviderReady, &wake)
	}
}

// look evaluates once for the sample, and for the others. It stops at the first answer that proves nothing.
func (c *Confirmer) look(ctx context.Context, key string, want flags.Want, sample, others []person) flags.Confirmation {
	_, name := flags.SplitKey(key)
	seen, reached := flags.Confirmation{Outcome: flags.Confirmed}, 0
	for i, who := range slices.Concat(sample, others) {
		variant, outcome, detail := c.evaluate(ctx, key, who, want, who.due(name, want))
		if outcome == flags.Unverifiable {
			return flags.Confirmation{Outcome: outcome, Detail: detail}
		}
		if outcome == flags.Mismatch && seen.Outcome == flags.Confirmed {
			seen.Outcome, seen.Detail = outcome, detail
		}
		if i < len(sample) && variant != "" && variant != want.Base {
			reached++
		}
		seen.Users++
	}
	seen.Share = (reached*flags.Total + len(sample)/2) / len(sample)
	return seen
}

// evaluate asks for one user, and judges the answer against the variant that is due.
func (c *Confirmer) evaluate(ctx context.Context, key string, who person, want flags.Want, due string) (string, flags.Outcome, string) {
	details, value, err := c.ask(ctx, key, who, want.Kind, due)
	revision, _ := details.FlagMetadata[RevisionKey].(int64)
	switch {
	case c.client.State() != of.ReadyState:
		return "", flags.Unverifiable, fmt.Sprintf("the provider is %s", c.client.State())
	case revision == 0 && err != nil:
		return "", flags.Unverifiable, err.Error()
	case uint64(max(revision, 0)) < want.Revision:
		return "", flags.Unverifiable, fmt.Sprintf("revision %d is served, %d was written", revision, want.Revision)
	case err != nil:
		return "", flags.Mismatch, fmt.Sprintf("at revision %d: %v", revision, err)
	case details.Variant != due || !value:
		return details.Variant, flags.Mismatch, fmt.Sprintf("at revision %d %s gets variant %q (%s), %q is due", revision, who, details.Variant, details.Reason, due)
	default:
		return details.Variant, flags.Confirmed, ""
	}
}

// notServed is a default that no version has.
const notServed = "serin: not served"

// ask evaluates with the opposite default, and says whether the value is the one of the variant that is due.
func (c *Confirmer) ask(ctx context.Context, key string, who person, kind flags.Kind, due string) (of.EvaluationDetails, bool, error) {
	ec := of.NewEvaluationContext(who.key, who.attributes)
	if kind == flags.Feature {
		wanted := due == flags.On
		d, err := c.client.BooleanValueDetails(ctx, key, !wanted, ec)
		return d.EvaluationDetails, d.Value == wanted, err
	}
	d, err := c.client.StringValueDetails(ctx, key, notServed, ec)
	return d.EvaluationDetails, d.Value == due, err
}
