//go:build unix

package main

import (
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/internal/chaos/audit"
)

// controlsOf are phases with workers that are broken on purpose: each must turn its counter.
func controlsOf() []phase {
	return []phase{
		{name: "no-fence", build: "serin-no-fence", expect: audit.Doubled, edits: noFence, plan: []chaos.FaultKind{chaos.StopWorker}, freezeTwo: true},
		{name: "dropped-dispatch", build: "serin-dropped-dispatch", expect: audit.Missing, edits: droppedDispatch},
		{name: "dead-timer", build: "serin-dead-timer", expect: audit.Silent, edits: deadTimer},
	}
}

// noFence lets anybody write a slot, and a worker that was frozen go on as if it held its partitions.
var noFence = []edit{
	{"deployments/jetstream/journal.go", ", jetstream.WithExpectLastSequencePerSubject(e.After))", ")"},
	{"deployments/jetstream/leases.go", "h.trust = h.ackWait - h.ackWait/8", "h.trust = 10 * h.ackWait"},
}

// droppedDispatch tells nobody of every third entry. The slot's next entry makes that good, if there is one.
var droppedDispatch = []edit{
	{"deployments/jetstream/dispatch.go", "if !waiting[msg.Subject()] {",
		"if m, bad := msg.Metadata(); bad == nil && m.Sequence.Stream%3 == 0 {\nerr = nil\n} else if !waiting[msg.Subject()] {"},
}

// deadTimer lets every tenth slot's timer run an hour late: those whose name ends in 9.
var deadTimer = []edit{
	{"deployments/runner.go", "time.NewTimer(r.sleep())",
		"time.NewTimer(r.sleep() + time.Duration((r.entry.Slot.Service[len(r.entry.Slot.Service)-1]-'0')/9)*time.Hour)"},
}
