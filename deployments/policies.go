package deployments

import (
	"context"
	"fmt"
	"sync"

	"github.com/serin-cd/serin/analysis"
)

// policyCache keeps the policies that slots go by. A file is read and parsed once, however many slots it is for, and
// forgotten when the last of them goes by another one.
type policyCache struct {
	store PolicyStore
	mu    sync.Mutex
	files map[string]*policyFile // by hash
	goBy  map[Slot]*policyFile   // the last one asked for
}

// policyFile is one file, which never changes.
type policyFile struct {
	hash  string
	slots int // that go by it; under the cache's mutex

	mu     sync.Mutex // held while it is loaded: the others wait for the one that does
	loaded bool
	of     map[Slot]Policy
	err    error // of parsing
}

// get is the policy of a slot with a hash. What it holds is shared, and not to be written to.
func (c *policyCache) get(ctx context.Context, s Slot, hash string) (Policy, error) {
	f := c.file(s, hash)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.loaded {
		text, err := c.store.Policy(ctx, hash)
		if err != nil {
			return Policy{}, fmt.Errorf("load the policy of %s: %w", s, err)
		}
		f.parse(text)
	}
	p, ok := f.of[s]
	switch {
	case f.err != nil:
		return Policy{}, fmt.Errorf("read the policy of %s: %w", s, f.err)
	case !ok:
		return Policy{}, fmt.Errorf("read the policy of %s: %w", s, ErrNoPolicy)
	}
	return p, nil
}

// file notes what a slot goes by.
func (c *policyCache) file(s Slot, hash string) *policyFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files, c.goBy = map[string]*policyFile{}, map[Slot]*policyFile{}
	}
	before := c.goBy[s]
	if before != nil && before.hash == hash {
		return before
	}
	f := c.files[hash]
	if f == nil {
		f = &policyFile{hash: hash}
		c.files[hash] = f
	}
	f.slots++
	c.goBy[s] = f
	if before != nil {
		if before.slots--; before.slots == 0 {
			delete(c.files, before.hash)
		}
	}
	return f
}

// parse reads the text of a file that was checked before.
func (f *policyFile) parse(text []byte) {
	policies, findings := ParsePolicies(f.hash, text)
	f.loaded, f.err = true, findings.Err()
	if f.err != nil {
		return
	}
	f.of = make(map[Slot]Policy, len(policies))
	sources := map[string]*analysis.Source{}
	for _, p := range policies {
		if p.Source != nil { // those that are alike are one, so that they are compared once and not at each query
			id := p.Source.ID()
			if sources[id] == nil {
				sources[id] = p.Source
			}
			p.Source = sources[id]
		}
		f.of[p.Slot] = p
	}
}
