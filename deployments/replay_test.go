package deployments_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// replay proves that each recorded decision follows from its recorded input and evidence.
func (w *world) replay() {
	w.t.Helper()
	prev := deployments.Entry{}
	for _, e := range w.journal.Entries() {
		in, decided, err := deployments.DecodeInput(e)
		if err != nil {
			w.t.Fatal(err)
		}
		if decided {
			got, _ := prev.State.Rollout.Next(e.At, in)
			if diff := cmp.Diff(*e.State.Rollout, got); diff != "" {
				w.t.Fatalf("rev %d (%s) does not follow from what was recorded (-recorded +replayed):\n%s", e.Rev, e.Note, diff)
			}
		}
		prev = e
	}
}

// story is a release that fails, and its fix.
func story(t *testing.T) *world {
	w := newWorld(t)
	w.verdict = failsAt(2500)
	w.release("1.1.0")
	w.run("one", time.Hour)
	w.release("1.1.1")
	w.run("two", time.Hour)
	return w
}

func TestEveryDecisionFollowsFromItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { story(t).replay() })
}

// TestTheJournalsFormatIsKept holds a whole story against testdata/journal.v1.jsonl: fields are only added within a
// version, and what was written once is read for ever.
func TestTheJournalsFormatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const golden = "testdata/journal.v1.jsonl"
		var lines []string
		for _, e := range story(t).journal.Entries() {
			e.Op = "op"
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(text))
		}
		if *update {
			if err := os.WriteFile(golden, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), lines); diff != "" {
			t.Errorf("the journal of the story (-golden +now):\n%s", diff)
		}
	})
}

func TestEventsOfAStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := story(t)
		var got []string
		for _, e := range w.events() {
			line := e.Name + " " + string(e.Severity) + " " + e.Data.Version
			if e.Data.Target != "" && e.Name != "release.accepted" {
				line += " " + e.Data.Target
			}
			got = append(got, line)
		}
		want := []string{
			"release.accepted info 1.1.0", "step.started info 1.1.0", "traffic.requested info 1.1.0", "traffic.confirmed info 1.1.0",
			"step.passed info 1.1.0", "step.started info 1.1.0", "traffic.requested info 1.1.0", "traffic.confirmed info 1.1.0",
			"rule.failing info 1.1.0 errors",
			"traffic.requested info 1.1.0", "rollout.failed warning 1.1.0", "rollback.requested info 1.1.0",
			"rollback.completed info 1.1.0 checkout-version", "rule.recovered info 1.1.0 errors", "rollout.restored info 1.1.0",
			"release.accepted info 1.1.1", "step.started info 1.1.1", "traffic.requested info 1.1.1", "traffic.confirmed info 1.1.1",
			"step.passed info 1.1.1", "step.started info 1.1.1", "traffic.requested info 1.1.1", "traffic.confirmed info 1.1.1",
			"step.passed info 1.1.1", "step.started info 1.1.1", "traffic.requested info 1.1.1", "traffic.confirmed info 1.1.1",
			"rollout.promoted info 1.1.1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestAReplayProvesEveryDecisionOrSaysWhatDiffers(t *testing.T) {
	var entries []deployments.Entry
	synctest.Test(t, func(t *testing.T) { entries = story(t).journal.Entries() })
	at := func(note string) int {
		return slices.IndexFunc(entries, func(e deployments.Entry) bool { return strings.HasPrefix(e.Note, note) })
	}
	advance, failure := at("requesting 25 %"), at("turning back")
	for name, c := range map[string]struct {
		spoil func(es []deployments.Entry) []deployments.Entry
		rev   int // index
		want  deployments.Proof
		why   string
	}{
		"nothing is wrong": {func(es []deployments.Entry) []deployments.Entry { return es }, advance, deployments.Follows, ""},
		"an advance without a healthy reading": {func(es []deployments.Entry) []deployments.Entry {
			es[advance].Evidence = slices.Clone(es[advance].Evidence)
			es[advance].Evidence[0].Verdict = analysis.NoData
			return es
		}, advance, deployments.Differs, "hold is recorded as nothing, and follows as"},
		"a rollback nobody decided": {func(es []deployments.Entry) []deployments.Entry {
			es[failure].Evidence = nil
			return es
		}, failure, deployments.Differs, "failure is recorded as"},
		"another plan": {func(es []deployments.Entry) []deployments.Entry {
			r := *es[advance].State.Rollout
			r.Plan.ConfirmWithin++
			es[advance].State.Rollout = &r
			return es
		}, advance, deployments.Differs, "plan is recorded as"},
		"another logic": {func(es []deployments.Entry) []deployments.Entry {
			es[advance].Logic = "0"
			return es
		}, advance, deployments.OtherLogic, "logic \"0\""},
		"an input that cannot be read": {func(es []deployments.Entry) []deployments.Entry {
			es[advance].Input = []byte("{")
			return es
		}, advance, deployments.Unproven, "decode input"},
		"an entry that was carried over": {func(es []deployments.Entry) []deployments.Entry {
			es[advance].Input = nil
			return es
		}, advance, deployments.Unproven, "carried over"},
		"the entry before it is purged": {func(es []deployments.Entry) []deployments.Entry {
			es[advance-1].Rev = 0
			return es
		}, advance, deployments.Unproven, "is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			spoiled := c.spoil(slices.Clone(entries))
			rev := entries[c.rev].Rev
			for _, r := range deployments.Replay(deployments.Entry{}, spoiled) {
				if r.Rev == rev && (r.Proof != c.want || !strings.Contains(r.Why, c.why)) {
					t.Errorf("rev %d (%s): %s: %s", r.Rev, r.Note, r.Proof, r.Why)
				}
				if c.want == deployments.Follows && r.Proof != deployments.Follows {
					t.Errorf("rev %d (%s): %s: %s", r.Rev, r.Note, r.Proof, r.Why)
				}
			}
		})
	}
}

func TestWhatBecomesOfARelease(t *testing.T) {
	rollout := func(version string, phase steps.Phase, failed bool) *steps.Rollout {
		r := &steps.Rollout{ID: "r", Version: version, Phase: phase}
		if failed {
			r.Failure = &steps.FailureState{}
		}
		return r
	}
	order := func(seq uint64) deployments.Order { return deployments.Order{Seq: seq, At: time.Unix(int64(seq), 0)} }
	rel := deployments.Release{Slot: slot, ID: "new", Version: "2", Order: order(5)}
	old := &deployments.Release{Slot: slot, ID: "old", Version: "1", Order: order(4)}
	earlier, later := rel, deployments.Release{Slot: slot, ID: "later", Version: "3", Order: order(6)}
	earlier.Order = order(3)
	anew := later
	anew.Order.At = time.Unix(1, 0) // its stream counts from the start again
	for name, c := range map[string]struct {
		state deployments.State
		want  deployments.Answer
		mode  deployments.OnNewRelease
	}{
		"first release":               {deployments.State{}, deployments.Accepted, deployments.Supersede},
		"nothing under way":           {deployments.State{Rollout: rollout("1", steps.Ended, false), Release: old, Stable: "1"}, deployments.Accepted, deployments.Supersede},
		"promoted already":            {deployments.State{Rollout: rollout("2", steps.Ended, false), Release: old, Stable: "2"}, deployments.Duplicate, deployments.Supersede},
		"rolled back: a new try":      {deployments.State{Rollout: rollout("2", steps.Ended, true), Release: old, Stable: "1"}, deployments.Accepted, deployments.Supersede},
		"the same, published again":   {deployments.State{Rollout: rollout("2", steps.Ended, true), Release: &earlier, Stable: "1"}, deployments.Accepted, deployments.Supersede},
		"it comes too late":           {deployments.State{Rollout: rollout("3", steps.Baking, false), Release: &later, Stable: "1"}, deployments.Outdated, deployments.Supersede},
		"one is about to begin":       {deployments.State{Rollout: rollout("1", steps.Ended, true), Release: old, Queue: []deployments.Queued{{Release: *old}}}, deployments.Waits, deployments.Supersede},
		"too late for the queue":      {deployments.State{Rollout: rollout("1", steps.Baking, false), Release: old, Queue: []deployments.Queued{{Release: later}}}, deployments.Outdated, deployments.Queue},
		"too late, and taken back":    {deployments.State{Rollout: rollout("3", steps.Ended, true), Release: &later, Stable: "1"}, deployments.Outdated, deployments.Supersede},
		"another stream's order":      {deployments.State{Rollout: rollout("3", steps.Baking, false), Release: &anew, Stable: "1"}, deployments.Supersedes, deployments.Supersede},
		"the same event":              {deployments.State{Rollout: rollout("2", steps.Ended, true), Release: &rel, Stable: "1"}, deployments.Duplicate, deployments.Supersede},
		"under way":                   {deployments.State{Rollout: rollout("2", steps.Baking, false), Release: old}, deployments.Duplicate, deployments.Supersede},
		"another is under way":        {deployments.State{Rollout: rollout("1", steps.Baking, false), Release: old}, deployments.Supersedes, deployments.Supersede},
		"a rollback is under way":     {deployments.State{Rollout: rollout("1", steps.Reverting, true), Release: old}, deployments.Waits, deployments.Supersede},
		"its own rollback goes on":    {deployments.State{Rollout: rollout("2", steps.Reverting, true), Release: old}, deployments.Waits, deployments.Supersede},
		"it waits already":            {deployments.State{Rollout: rollout("1", steps.Reverting, true), Release: old, Queue: []deployments.Queued{{Release: rel}}}, deployments.Duplicate, deployments.Supersede},
		"queued behind another":       {deployments.State{Rollout: rollout("1", steps.Baking, false), Release: old}, deployments.Queues, deployments.Queue},
		"queued behind a rollback":    {deployments.State{Rollout: rollout("1", steps.Reverting, true), Release: old}, deployments.Queues, deployments.Queue},
		"the queue is full":           {deployments.State{Rollout: rollout("1", steps.Baking, false), Release: old, Queue: make([]deployments.Queued, deployments.MaxQueue)}, deployments.Rejected, deployments.Queue},
		"turned away":                 {deployments.State{Rollout: rollout("1", steps.Baking, false), Release: old}, deployments.Rejected, deployments.TurnAway},
		"a free slot turns none away": {deployments.State{Rollout: rollout("1", steps.Ended, false), Release: old}, deployments.Accepted, deployments.TurnAway},
		"back to the stable version":  {deployments.State{Rollout: rollout("3", steps.Baking, false), Release: old, Stable: "2"}, deployments.Supersedes, deployments.Supersede},
	} {
		t.Run(name, func(t *testing.T) {
			if got, why := c.state.Judge(rel, c.mode); got != c.want {
				t.Errorf("%s (%s), want %s", got, why, c.want)
			}
		})
	}
}
