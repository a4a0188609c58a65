package openfeature

import (
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
)

// RevisionKey is the flag metadata that holds the bucket's revision of the definition an evaluation rests on (int64).
const RevisionKey = "serinRevision"

// snapshot is all flags at one moment, by the name applications use. It is never written to once it is stored.
type snapshot map[string]*entry

// entry is one flag of the bucket, or why it is none.
type entry struct {
	flag     flags.Flag
	err      error
	revision uint64
	metadata of.FlagMetadata
}

// read makes an entry; nil for a deletion of any kind.
func read(kve jetstream.KeyValueEntry) *entry {
	if kve.Operation() != jetstream.KeyValuePut {
		return nil
	}
	// Applications of every environment have the same key, so that a user is in the same bucket in all of them.
	_, key := flags.SplitKey(kve.Key())
	e := &entry{revision: kve.Revision()}
	e.flag, e.err = flags.Parse(key, kve.Value())
	e.metadata = e.flag.Metadata()
	if e.metadata == nil {
		e.metadata = of.FlagMetadata{}
	}
	e.metadata[RevisionKey] = int64(e.revision)
	return e
}

// with is the snapshot with one entry set, or removed by nil.
func (s snapshot) with(name string, e *entry) snapshot {
	next := maps.Clone(s)
	next.set(name, e)
	return next
}

func (s snapshot) set(name string, e *entry) {
	if e == nil {
		delete(s, name)
		return
	}
	s[name] = e
}

// changed names the flags that differ between two snapshots, in alphabetical order.
func (s snapshot) changed(o snapshot) []string {
	var names []string
	for name, e := range s {
		if other := o[name]; other == nil || other.revision != e.revision {
			names = append(names, name)
		}
	}
	for name := range o {
		if s[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
