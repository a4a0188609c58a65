package openfeature

import (
	"fmt"
	"maps"
	"slices"

	"github.com/serin-cd/serin/flags"
)

// Flag is the flag of that name as the provider holds it now, and its revision: flags.ErrNotFound for one that is not
// there, another error for a value that is no flag, and for flags that are not loaded yet.
func (p *Provider) Flag(name string) (flags.Flag, uint64, error) {
	e, missing := p.entry(name)
	switch {
	case e != nil:
		return e.flag, e.revision, e.err
	case p.flags.Load() == nil:
		return flags.Flag{}, 0, missing
	}
	return flags.Flag{}, 0, fmt.Errorf("flag %q: %w", name, flags.ErrNotFound)
}

// Names are the names of all flags, in no order.
func (p *Provider) Names() []string {
	all := p.flags.Load()
	if all == nil {
		return nil
	}
	return slices.Collect(maps.Keys(*all))
}
