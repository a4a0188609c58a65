package flags

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Store keeps flags under store keys and counts their revisions.
type Store interface {
	// Get is the flag and its revision, which is never 0; ErrNotFound. The flag's own key is the store key without
	// its environment.
	Get(ctx context.Context, key string) (Flag, uint64, error)
	// Update writes the flag if revision is still its last one, and returns the new one; 0 creates it. ErrConflict:
	// somebody else has written. After any other error the write may have landed.
	Update(ctx context.Context, key string, f Flag, revision uint64) (uint64, error)
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such flag")
	ErrConflict = errors.New("the flag was written meanwhile")
)

// Change is what an edit came to.
type Change struct {
	Before, After Flag
	Revision      uint64 // that holds After
	Written       bool   // false: it was so already
}

// Want is what an evaluation must now show.
func (c Change) Want() Want {
	m := c.After.mark
	return Want{Kind: c.After.Kind(), Variant: m.Variant, Base: m.Base, Share: m.Share, Also: m.Also, Was: m.Was, Revision: c.Revision}
}

// Apply reads a flag, edits it and writes it at the revision it read. On a conflict the flag is read and edited anew: by
// a Kill until it is written or ctx ends, by any other edit once. What the edit refuses then, such as a stranger's
// write, is the answer. Doing it again after any error is safe.
func Apply(ctx context.Context, s Store, key string, e Edit) (Change, error) {
	for attempt := 1; ; attempt++ {
		change, err := once(ctx, s, key, e)
		if !errors.Is(err, ErrConflict) || !e.insists() && attempt == 2 {
			return change, err
		}
		if ctx.Err() != nil {
			return Change{}, fmt.Errorf("write flag %s: %w", key, context.Cause(ctx))
		}
	}
}

func once(ctx context.Context, s Store, key string, e Edit) (Change, error) {
	before, revision, err := s.Get(ctx, key)
	if err != nil {
		return Change{}, err
	}
	after, err := e.Edit(before)
	if err != nil {
		return Change{}, err
	}
	c := Change{Before: before, After: after, Revision: revision}
	if bytes.Equal(before.Bytes(), after.Bytes()) {
		return c, nil
	}
	c.Written = true
	c.Revision, err = s.Update(ctx, key, after, revision)
	if err != nil {
		return Change{}, err
	}
	return c, nil
}
