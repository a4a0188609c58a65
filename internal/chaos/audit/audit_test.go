package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/rules"
	"github.com/serin-cd/serin/steps"
)

var (
	start    = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	interval = 5 * time.Second
	plan     = steps.Plan{Mover: steps.Mover{Kind: steps.VersionFlag, Key: "shop"}, Steps: []steps.Step{{Share: steps.All}},
		Failure: steps.Failure{Do: []steps.Action{{Kind: steps.RollbackAction}}}, Rules: []rules.Tolerance{{Rule: "errors", OnFail: rules.Rollback}}, ConfirmWithin: time.Minute}
	shop = deployments.Slot{Environment: chaos.Environment, Service: "shop"}
)

func after(d time.Duration) time.Time { return start.Add(d) }

// story is a run with nothing wrong: one release, evaluated three times, promoted (or aborted) at 12 s.
func story(t *testing.T, end chaos.End) Left {
	t.Helper()
	rel := chaos.Release{ID: "shop-1", Version: "r1-good", End: end}
	l := Left{
		Script: chaos.Script{Name: "test", Slots: []chaos.Slot{{Service: "shop", Releases: []chaos.Release{rel}}}},
		Run:    chaos.Run{Interval: interval, Begin: start, End: after(12 * time.Second), Complete: true},
	}
	l.Journal = journal(t, rel)
	for _, at := range []time.Duration{2, 7} {
		l.Evaluations = append(l.Evaluations, chaos.Evaluation{At: after(at * time.Second), By: "w1.1", Service: "shop", Version: rel.Version})
	}
	var prev deployments.Entry
	for _, e := range l.Journal {
		for _, event := range deployments.Events(prev, e) {
			l.Events = append(l.Events, event)
			if (notify.Slack{}).Wants(event) {
				l.Webhook = append(l.Webhook, chaos.Call{Key: event.ID, At: event.Time, Visible: true})
			}
			if event.Name == "rollback.requested" {
				l.Subscriber = append(l.Subscriber, chaos.Call{Key: event.ID, At: event.Time, Visible: true})
			}
		}
		prev = e
	}
	for _, key := range confirmed(l.Journal) {
		l.Flags = append(l.Flags, flag(t, key, prev.State.Rollout.Failure != nil))
	}
	return l
}

// journal is what a worker would write.
func journal(t *testing.T, rel chaos.Release) []deployments.Entry {
	t.Helper()
	policy := deployments.Policy{Slot: shop, Hash: "h", Plan: plan}
	e, err := deployments.Entry{Slot: shop}.Admit(start, deployments.Release{Slot: shop, ID: rel.ID, Version: rel.Version}, deployments.Accepted, "", policy, false)
	if err != nil {
		t.Fatal(err)
	}
	e.State.Rollout.Stable = chaos.First
	out := []deployments.Entry{numbered(e, 1)}
	inputs := []steps.Input{steps.Tick{}, steps.Applied{Seq: 1, Target: steps.Traffic, Observed: steps.All, Confirmed: true}}
	if rel.End == chaos.Aborted {
		inputs = append(inputs, steps.Command{Verb: steps.Abort, By: "chaos"}, steps.Applied{Seq: 2, Target: steps.Traffic, Confirmed: true})
	} else {
		inputs = append(inputs, steps.Measured{At: after(12 * time.Second), Seq: 1, Verdicts: []analysis.Judgement{{
			Rule: "errors", Verdict: analysis.Healthy, Data: true, Reading: analysis.Reading{At: after(12 * time.Second)}}}})
	}
	for i, in := range inputs {
		at := start
		if i >= 2 {
			at = after(12 * time.Second)
		}
		next, changed, err := out[len(out)-1].Decide(at, in)
		if err != nil || !changed {
			t.Fatalf("input %d %T: changed %t, %v", i, in, changed, err)
		}
		out = append(out, numbered(next, uint64(len(out)+1)))
	}
	return out
}

func numbered(e deployments.Entry, sequence uint64) deployments.Entry {
	e.Sequence = sequence
	return e
}

// flag is a revision under a key; a kill serves what was there first.
func flag(t *testing.T, key string, aborted bool) chaos.Message {
	t.Helper()
	at := strings.LastIndexByte(key, '/')
	serves, share := "r1-good", 10000
	killed := aborted && key[at+1:] == "2"
	if killed {
		serves, share = chaos.First, 0
	}
	text, err := json.Marshal(map[string]any{"state": "ENABLED", "defaultVariant": serves, "targeting": map[string]any{},
		"variants": map[string]any{chaos.First: chaos.First, "r1-good": "r1-good"},
		"metadata": map[string]any{"serinRollout": key[:at], "serinSeq": json.Number(key[at+1:]), "serinShare": share, "serinKilled": killed}})
	if err != nil {
		t.Fatal(err)
	}
	return chaos.Message{Subject: "$KV.serin_flags.production.shop", Data: text}
}

func TestARunWithNothingWrongIsClean(t *testing.T) {
	for _, end := range []chaos.End{chaos.Promoted, chaos.Aborted} {
		t.Run(string(end), func(t *testing.T) {
			r := Audit(story(t, end))
			if !r.Clean() {
				t.Errorf("findings %v", r.Findings)
			}
			if r.Rollouts != 1 || r.Transitions < 4 || r.Events < 3 || r.WorstGap != 1 {
				t.Errorf("result %+v", r)
			}
		})
	}
}

// harm is what can be wrong with a run, and the finding that it must be.
var harm = map[string]struct {
	end  chaos.End
	do   func(t *testing.T, l *Left)
	kind Kind
	says string
}{
	"a revision twice": {chaos.Promoted, func(_ *testing.T, l *Left) {
		l.Journal = append(l.Journal, numbered(l.Journal[3], 9))
	}, Doubled, "rev 4: written a second time"},
	"a revision missing":  {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal = slices.Delete(l.Journal, 1, 2) }, Missing, "rev 2 to 2"},
	"a revision astray":   {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal[2].After = 1 }, Doubled, "rev 3: written behind 1"},
	"an unknown slot":     {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal[0].Slot.Service = "other" }, Doubled, "no such slot"},
	"no answer":           {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal = nil }, Missing, "no answer"},
	"no end":              {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal = l.Journal[:3] }, Missing, "owed promoted"},
	"another end":         {chaos.Promoted, func(_ *testing.T, l *Left) { l.Script.Slots[0].Releases[0].End = chaos.Failed }, Missing, "owed failed"},
	"another step":        {chaos.Aborted, func(_ *testing.T, l *Left) { l.Script.Slots[0].Releases[0].Step = 3 }, Missing, "at step 3"},
	"a rollout too many":  {chaos.Promoted, func(_ *testing.T, l *Left) { l.Script.Slots[0].Releases[0].End = chaos.Duplicate }, Doubled, "1 rollouts of one release, 0 owed"},
	"an event twice":      {chaos.Promoted, func(_ *testing.T, l *Left) { l.Events = append(l.Events, l.Events[1]) }, Doubled, "stored a second time"},
	"an event missing":    {chaos.Promoted, func(_ *testing.T, l *Left) { l.Events = l.Events[1:] }, Missing, "release.accepted"},
	"an event of nothing": {chaos.Promoted, func(_ *testing.T, l *Left) { l.Events = append(l.Events, deployments.Event{ID: "x/1/y.z"}) }, Doubled, "follows from no revision"},
	"a rollback unheard":  {chaos.Aborted, func(_ *testing.T, l *Left) { l.Subscriber = nil }, Missing, "subscriber"},
	"a rollback twice":    {chaos.Aborted, func(_ *testing.T, l *Left) { l.Subscriber = append(l.Subscriber, l.Subscriber[0]) }, Doubled, "a second effect"},
	"a message missing":   {chaos.Aborted, func(_ *testing.T, l *Left) { l.Webhook = l.Webhook[1:] }, Missing, "webhook"},
	"a message of nothing": {chaos.Promoted, func(_ *testing.T, l *Left) {
		l.Webhook = append(l.Webhook, chaos.Call{Key: "x", Visible: true})
	}, Doubled, "webhook: x follows from no revision"},
	"a flag not written":  {chaos.Promoted, func(_ *testing.T, l *Left) { l.Flags = nil }, Missing, "never written"},
	"a flag twice":        {chaos.Promoted, func(_ *testing.T, l *Left) { l.Flags = append(l.Flags, l.Flags[0]) }, Doubled, "written a second time"},
	"a flag up again":     {chaos.Aborted, func(_ *testing.T, l *Left) { slices.Reverse(l.Flags) }, Doubled, "after a kill"},
	"another flag served": {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal[3].State.Stable = "r9" }, Missing, `owed "r9"`},
	"a silent middle":     {chaos.Promoted, func(_ *testing.T, l *Left) { l.Evaluations = nil }, Silent, "not evaluated for 12s"},
	"a silent end":        {chaos.Promoted, func(_ *testing.T, l *Left) { l.Journal, l.Run.End = l.Journal[:3], after(time.Minute) }, Silent, "not evaluated for 53s"},
}

func TestEachHarmIsFound(t *testing.T) {
	for name, c := range harm {
		t.Run(name, func(t *testing.T) {
			l := story(t, c.end)
			c.do(t, &l)
			found := Audit(l).Findings
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Kind == c.kind && strings.Contains(f.What, c.says) }) {
				t.Errorf("no finding %s with %q among %v", c.kind, c.says, found)
			}
		})
	}
}

func TestARedeliveredCallIsShownAndNoHarm(t *testing.T) {
	l := story(t, chaos.Aborted)
	again := l.Subscriber[0]
	again.Visible = false
	l.Subscriber = append(l.Subscriber, again)
	if r := Audit(l); !r.Clean() || r.Redelivered != 1 {
		t.Errorf("redelivered %d, findings %v", r.Redelivered, r.Findings)
	}
}

func TestAGapOverAnOutageCountsFromTheServersReturn(t *testing.T) {
	l := story(t, chaos.Promoted)
	l.Evaluations = nil
	outage := chaos.Fault{Kind: chaos.Outage, Target: "n1", From: after(time.Second), To: after(4 * time.Second)}
	l.Faults = []chaos.Fault{outage}
	if r := Audit(l); !r.Clean() || r.WorstGap != 1.6 || r.OutageTime != 3 {
		t.Errorf("worst gap %v of 1.6 intervals, outage %v: %v", r.WorstGap, r.OutageTime, r.Findings)
	}
	l.Faults[0].Kind = chaos.KillServer // one of three: nothing is taken off
	if r := Audit(l); r.Silent != 1 {
		t.Errorf("silent %d, findings %v", r.Silent, r.Findings)
	}
}

func TestFailoverIsFromTheFaultToAnothersFirstEvaluation(t *testing.T) {
	l := story(t, chaos.Promoted)
	l.Evaluations[1].By = "w2.1"
	for _, c := range []struct {
		kind chaos.FaultKind
		who  string
		want float64
	}{{chaos.KillWorker, "w1.1", 4}, {chaos.StopWorker, "w1.1", 4}, {chaos.KillWorker, "w3.1", 0}, {chaos.CutWorker, "w1.1", 0}} {
		l.Faults = []chaos.Fault{{Kind: c.kind, Target: c.who, From: after(3 * time.Second), To: after(9 * time.Second)}}
		if r := Audit(l); r.Failover != c.want {
			t.Errorf("%s %s: failover %v s, want %v", c.kind, c.who, r.Failover, c.want)
		}
	}
}

func TestASlotThatACommandMovesIsHeldToTheStoresCalls(t *testing.T) {
	l := story(t, chaos.Promoted)
	l.Script.Slots[0].Exec, l.Flags = true, nil
	key := fmt.Sprintf("%s/1", l.Journal[0].Rollout)
	call := chaos.Call{Key: key, Target: "shop", Share: 10000, Visible: true, At: start}
	l.Store = []chaos.Call{call}
	if r := Audit(l); !r.Clean() {
		t.Errorf("findings %v", r.Findings)
	}
	l.Store = append(l.Store, call)
	if r := Audit(l); r.Doubled != 1 {
		t.Errorf("findings %v", r.Findings)
	}
	l.Store = nil
	if r := Audit(l); r.Missing != 1 {
		t.Errorf("findings %v", r.Findings)
	}
}

func TestWhatARunLeavesIsReadBack(t *testing.T) {
	want := story(t, chaos.Aborted)
	dir := t.TempDir()
	leave(t, dir, want)
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Audit(want), Audit(got)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestAnElectionCountsAsAnOutage(t *testing.T) {
	var l Left
	for at := time.Duration(0); at < 20*time.Second; at += 100 * time.Millisecond {
		if at <= 5*time.Second || at >= 12*time.Second {
			l.Journal = append(l.Journal, deployments.Entry{At: after(at)})
		}
	}
	l.Faults = []chaos.Fault{{Kind: chaos.KillServer, Target: "n1", From: after(5 * time.Second), To: after(8 * time.Second)}}
	if got := l.outages(); len(got) != 1 || !got[0].from.Equal(after(5*time.Second)) || !got[0].to.Equal(after(12*time.Second)) {
		t.Errorf("outages %v, want from 5 s to 12 s", got)
	}
	l.Faults[0].Kind = chaos.KillWorker
	if got := l.outages(); len(got) > 0 {
		t.Errorf("the kill of a worker counts as %v", got)
	}
	l.Faults[0].Kind, l.Journal = chaos.KillServer, l.Journal[40:]
	if got := l.outages(); len(got) > 0 {
		t.Errorf("a journal that is silent anyway counts as %v", got)
	}
}
