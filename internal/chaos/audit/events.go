package audit

import (
	"maps"
	"slices"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/internal/chaos"
)

// owed are the keys that receivers must have heard.
type owed struct{ rollbacks, messages []string }

// told checks that the stream of events has what follows from the journal, each event once.
func (a *auditor) told() owed {
	var o owed
	want := map[string]bool{}
	for _, service := range a.order {
		var prev deployments.Entry
		for _, e := range a.slots[service].entries {
			for _, event := range deployments.Events(prev, e) {
				want[event.ID] = true
				o.add(event)
			}
			prev = e
		}
	}
	got := map[string]int{}
	for _, e := range a.Events {
		got[e.ID]++
		switch {
		case got[e.ID] > 1:
			a.find(Doubled, "event %s: stored a second time", e.ID)
		case !want[e.ID]:
			a.find(Doubled, "event %s: follows from no revision", e.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] == 0 {
			a.find(Missing, "event %s: not told", id)
		}
	}
	return o
}

func (o *owed) add(e deployments.Event) {
	if e.Name == "rollback.requested" {
		o.rollbacks = append(o.rollbacks, e.ID)
	}
	if (notify.Slack{}).Wants(e) {
		o.messages = append(o.messages, e.ID)
	}
}

// calls checks that a receiver has heard every key once.
func (a *auditor) calls(who string, calls []chaos.Call, owed []string) {
	visible := map[string]int{}
	wanted := map[string]bool{}
	for _, key := range owed {
		wanted[key] = true
	}
	for _, c := range calls {
		if !c.Visible {
			continue
		}
		visible[c.Key]++
		switch {
		case visible[c.Key] > 1:
			a.find(Doubled, "%s: %s had a second effect", who, c.Key)
		case !wanted[c.Key]:
			a.find(Doubled, "%s: %s follows from no revision", who, c.Key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if visible[key] == 0 {
			a.find(Missing, "%s: %s was not heard", who, key)
		}
	}
}
