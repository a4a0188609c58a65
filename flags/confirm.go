package flags

import (
	"context"
	"time"
)

// Confirmer tells by evaluation, through another path than the write, whether the source serves what is wanted.
type Confirmer interface {
	// Confirm evaluates until the wanted is seen, something else is certain, or ctx ends. The error is for a question
	// that makes no sense; everything that was seen, and a ctx that ends, is a Confirmation.
	Confirm(ctx context.Context, key string, want Want) (Confirmation, error)
}

// Want is what users must get: Variant for Share of those with a targeting key and for the audience, Base for everybody
// else.
type Want struct {
	Kind     Kind
	Variant  string // may be "" when Share is 0
	Base     string
	Share    int // 0 to 10000
	Also     Audience
	Was      Audience // who had Variant before a kill: those to look at
	Revision uint64   // of the write; what an older revision serves proves nothing
}

// For is the variant of a user of the flag with that key, who has no other attributes; "" stands for a user without a
// targeting key.
func (w Want) For(key, targetingKey string) string {
	if len(w.Also) > 0 {
		return w.ForContext(key, map[string]any{TargetingKey: targetingKey})
	}
	return w.byShare(key, targetingKey)
}

// ForContext is the variant of the user whom a context describes.
func (w Want) ForContext(key string, ctx map[string]any) string {
	if w.Also.Has(ctx) {
		return w.Variant
	}
	user, _ := ctx[TargetingKey].(string)
	return w.byShare(key, user)
}

func (w Want) byShare(key, targetingKey string) string {
	if w.Share == Total || targetingKey != "" && Bucket(key, targetingKey) < w.Share {
		return w.Variant
	}
	return w.Base
}

// Sensible reports whether the wanted says what users must get.
func (w Want) Sensible() bool {
	ramps := w.Share > 0 || len(w.Also) > 0
	return w.Kind != Other && w.Base != "" && w.Share >= 0 && w.Share <= Total && (!ramps || w.Variant != "")
}

// Outcome is what a confirmation came to.
type Outcome string

// The outcomes; the zero value counts as unverifiable.
const (
	Confirmed    Outcome = "confirmed"    // the source serves what was wanted
	Mismatch     Outcome = "mismatch"     // the source serves something else, at this revision or a later one
	Unverifiable Outcome = "unverifiable" // no proof either way
)

// Confirmation is what was seen.
type Confirmation struct {
	Outcome Outcome
	Share   int           // of the sampled users, in basis points, who got another variant than Base
	Users   int           // how many synthetic users were evaluated
	Detail  string        // what differed, or what was missing
	Took    time.Duration // until the outcome was certain
}
