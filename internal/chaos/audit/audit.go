package audit

import (
	"fmt"
	"math"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/chaos"
)

// Left is what a run has left behind.
type Left struct {
	Script      chaos.Script
	Run         chaos.Run
	Journal     []deployments.Entry // in the order of the stream
	Events      []deployments.Event
	Flags       []chaos.Message
	Dead        []chaos.Message
	Store       []chaos.Call
	Subscriber  []chaos.Call
	Webhook     []chaos.Call
	Evaluations []chaos.Evaluation
	Faults      []chaos.Fault
}

// Result is what the audit says.
type Result struct {
	Name        string  `json:"name"`
	Rollouts    int     `json:"rollouts"`
	Transitions int     `json:"transitions"`
	Events      int     `json:"events"`
	Doubled     int     `json:"doubled"`
	Missing     int     `json:"missing"`
	Silent      int     `json:"silent"`
	WorstGap    float64 `json:"worst_gap_intervals"`
	Failover    float64 `json:"worst_failover_s"`

	Evaluations int                     `json:"evaluations"`
	Calls       int                     `json:"calls"`
	Redelivered int                     `json:"redelivered"`
	Dead        int                     `json:"dead_letters"`
	Faults      map[chaos.FaultKind]int `json:"faults"`
	OutageTime  float64                 `json:"outage_s"` // not counted in gaps
	Seed        uint64                  `json:"seed"`
	Complete    bool                    `json:"complete"`

	Findings []Finding `json:"-"`
}

// Clean reports whether nothing is doubled, missing or silent.
func (r Result) Clean() bool { return r.Doubled == 0 && r.Missing == 0 && r.Silent == 0 }

// Kind is which counter a finding is in.
type Kind string

// The counters.
const (
	Doubled Kind = "doubled"
	Missing Kind = "missing"
	Silent  Kind = "silent"
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind Kind   `json:"kind"`
	What string `json:"what"`
}

// auditor goes through what is left.
type auditor struct {
	Left
	slots    map[string]*slot
	order    []string // services, as the script has them
	findings []Finding
}

// slot is what the journal says of one service.
type slot struct {
	script  chaos.Slot
	entries []deployments.Entry
	rank    map[string]int // of a rollout: the later one has the higher
}

func (a *auditor) find(k Kind, format string, args ...any) {
	a.findings = append(a.findings, Finding{k, fmt.Sprintf(format, args...)})
}

// Audit goes through what a run has left.
func Audit(l Left) Result {
	a := &auditor{Left: l, slots: map[string]*slot{}}
	for _, s := range l.Script.Slots {
		a.slots[s.Service] = &slot{script: s, rank: map[string]int{}}
		a.order = append(a.order, s.Service)
	}
	for _, e := range l.Journal {
		s := a.slots[e.Slot.Service]
		if s == nil {
			a.find(Doubled, "%s rev %d: the script has no such slot", e.Slot, e.Rev)
			continue
		}
		s.entries = append(s.entries, e)
		if _, known := s.rank[e.Rollout]; !known {
			s.rank[e.Rollout] = len(s.rank)
		}
	}
	r := Result{Name: l.Script.Name, Seed: l.Script.Seed, Complete: l.Run.Complete, Transitions: len(l.Journal), Events: len(l.Events),
		Evaluations: len(l.Evaluations), Dead: len(l.Dead), Faults: map[chaos.FaultKind]int{}}
	for _, f := range l.Faults {
		r.Faults[f.Kind]++
	}
	for _, service := range a.order {
		a.revisions(a.slots[service])
		r.Rollouts += a.promises(a.slots[service])
	}
	owed := a.told()
	a.calls("subscriber", l.Subscriber, owed.rollbacks)
	a.calls("webhook", l.Webhook, owed.messages)
	a.moved()
	var worst time.Duration
	r.OutageTime, worst = l.outageTime(), a.gaps()
	r.WorstGap = round(float64(worst) / float64(max(l.Run.Interval, 1)))
	r.Failover = round(a.failover().Seconds())
	return a.count(r)
}

func (a *auditor) count(r Result) Result {
	for _, calls := range [][]chaos.Call{a.Store, a.Subscriber, a.Webhook} {
		for _, c := range calls {
			r.Calls++
			if !c.Visible {
				r.Redelivered++
			}
		}
	}
	r.Findings = a.findings
	for _, f := range a.findings {
		switch f.Kind {
		case Doubled:
			r.Doubled++
		case Missing:
			r.Missing++
		case Silent:
			r.Silent++
		}
	}
	return r
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }
