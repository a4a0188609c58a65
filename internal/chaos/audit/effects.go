package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/steps"
)

// write is one visible change of a slot's traffic.
type write struct {
	rollout string
	seq     uint64
	share   int
	killed  bool
	serves  string // to all, of a flag; "" where it is not known
}

func (w write) key() string { return fmt.Sprintf("%s/%d", w.rollout, w.seq) }

// moved checks what was done to the traffic of each slot against what the journal says was confirmed.
func (a *auditor) moved() {
	writes := map[string][]write{}
	for _, m := range a.Flags {
		service, w, ok := flagWrite(m)
		if ok {
			writes[service] = append(writes[service], w)
		}
	}
	for _, c := range a.Store {
		if !c.Visible {
			continue
		}
		w, ok := storeWrite(c)
		if !ok {
			a.find(Doubled, "flag store: the key %q is of no rollout", c.Key)
			continue
		}
		writes[c.Target] = append(writes[c.Target], w)
	}
	for _, service := range a.order {
		s := a.slots[service]
		a.writes(s, writes[service])
		if ws := writes[service]; !s.script.Exec {
			a.serves(s, ws)
		}
	}
}

// writes checks that each confirmed request was carried out once, in order, and that nothing rose after a kill.
func (a *auditor) writes(s *slot, writes []write) {
	seen := map[string]bool{}
	killed := map[string]bool{}
	var last write
	for _, w := range writes {
		switch {
		case seen[w.key()]:
			a.find(Doubled, "traffic of %s: %s was written a second time", s.script.Service, w.key())
		case killed[w.rollout] && w.share > 0:
			a.find(Doubled, "traffic of %s: %s raised it to %d after a kill", s.script.Service, w.key(), w.share)
		case last.rollout != "" && cmp.Or(cmp.Compare(s.rank[w.rollout], s.rank[last.rollout]), cmp.Compare(w.seq, last.seq)) < 0:
			a.find(Doubled, "traffic of %s: %s was written after %s", s.script.Service, w.key(), last.key())
		}
		seen[w.key()], last = true, w
		killed[w.rollout] = killed[w.rollout] || w.killed
	}
	for _, key := range confirmed(s.entries) {
		if !seen[key] {
			a.find(Missing, "traffic of %s: %s is confirmed and was never written", s.script.Service, key)
		}
	}
}

// serves checks that in the end the flag serves the last promoted version to all.
func (a *auditor) serves(s *slot, writes []write) {
	owed := chaos.First
	for _, e := range s.entries {
		owed = cmp.Or(e.State.Stable, owed)
	}
	if len(s.entries) > 0 && s.entries[len(s.entries)-1].State.Live() {
		return // in the middle of a rollout, which is found elsewhere
	}
	if n := len(writes); n > 0 && writes[n-1].serves != owed {
		a.find(Missing, "flag %s: serves %q, owed %q", s.script.Service, writes[n-1].serves, owed)
	}
}

// confirmed are the requests for traffic that the journal says were confirmed.
func confirmed(entries []deployments.Entry) []string {
	var keys []string
	for _, e := range entries {
		in, ok, err := deployments.DecodeInput(e)
		if applied, is := in.(steps.Applied); ok && err == nil && is && applied.Confirmed && applied.Target == steps.Traffic {
			keys = append(keys, fmt.Sprintf("%s/%d", e.Rollout, applied.Seq))
		}
	}
	return keys
}

// flagWrite reads a revision of a flag; false: it is not Serin's.
func flagWrite(m chaos.Message) (service string, w write, ok bool) {
	tokens := strings.Split(m.Subject, ".")
	service = tokens[len(tokens)-1]
	f, err := flags.Parse(service, m.Data)
	if err != nil || f.Mark().Rollout == "" {
		return service, write{}, false
	}
	mark := f.Mark()
	w = write{rollout: mark.Rollout, seq: mark.Seq, share: mark.Share, killed: mark.Killed}
	if serves, is := f.Default(); is && f.Targeting() == nil {
		w.serves = serves
	}
	return service, w, true
}

// storeWrite reads a call of the flag store.
func storeWrite(c chaos.Call) (write, bool) {
	at := strings.LastIndexByte(c.Key, '/')
	if at < 0 {
		return write{}, false
	}
	seq, err := strconv.ParseUint(c.Key[at+1:], 10, 64)
	return write{rollout: c.Key[:at], seq: seq, share: c.Share, killed: c.Share == 0}, err == nil
}

// sortCalls puts calls into the order in which they came.
func sortCalls(calls []chaos.Call) {
	slices.SortStableFunc(calls, func(x, y chaos.Call) int { return x.At.Compare(y.At) })
}
