package audit

import (
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/internal/chaos"
	"github.com/serin-cd/serin/steps"
)

// revisions checks that a slot's entries are one chain: each behind the one before, none twice, none left out.
func (a *auditor) revisions(s *slot) {
	var prev deployments.Entry
	for _, e := range s.entries {
		switch {
		case e.Rev <= prev.Rev:
			a.find(Doubled, "%s rev %d: written a second time, at %d by %s", e.Slot, e.Rev, e.Sequence, e.By)
		case e.Rev > prev.Rev+1:
			a.find(Missing, "%s rev %d to %d: not in the journal", e.Slot, prev.Rev+1, e.Rev-1)
		case e.After != prev.Sequence:
			a.find(Doubled, "%s rev %d: written behind %d, which is not the entry before it", e.Slot, e.Rev, e.After)
		}
		prev = e
	}
}

// promises checks that each release of a slot got its answer and its end. It returns the rollouts that there were.
func (a *auditor) promises(s *slot) int {
	answers := map[string]map[deployments.Answer]int{}
	last := map[string]*steps.Rollout{}       // by rollout
	ofRelease := map[string]map[string]bool{} // rollouts by release
	for _, e := range s.entries {
		if in, ok := chaos.Released(e); ok {
			count(answers, in.Release.ID, in.Answer)
		}
		if r := e.State.Rollout; r != nil && e.State.Release != nil {
			last[r.ID] = r
			if ofRelease[e.State.Release.ID] == nil {
				ofRelease[e.State.Release.ID] = map[string]bool{}
			}
			ofRelease[e.State.Release.ID][r.ID] = true
		}
	}
	for _, rel := range s.script.Releases {
		if len(answers[rel.ID]) == 0 {
			a.find(Missing, "%s %s: no answer to release %s is on record", s.script.Service, rel.Version, rel.ID)
		}
		a.ended(s, rel, ofRelease[rel.ID], last)
	}
	return len(last)
}

func count(answers map[string]map[deployments.Answer]int, id string, answer deployments.Answer) {
	if answers[id] == nil {
		answers[id] = map[deployments.Answer]int{}
	}
	answers[id][answer]++
}

// ended checks that a release had one rollout, or none if it was a duplicate, which ended as the script has it.
func (a *auditor) ended(s *slot, rel chaos.Release, ids map[string]bool, last map[string]*steps.Rollout) {
	name := s.script.Service + " " + rel.Version + " (" + rel.ID + ")"
	owed := 1
	if rel.End == chaos.Duplicate {
		owed = 0
	}
	if len(ids) > owed {
		a.find(Doubled, "%s: %d rollouts of one release, %d owed", name, len(ids), owed)
	}
	if owed == 0 {
		return
	}
	if len(ids) == 0 {
		a.find(Missing, "%s: there was no rollout", name)
	}
	for id := range ids {
		if r := last[id]; !kept(rel, *r) {
			a.find(Missing, "%s: owed %s at step %d; it is %s at step %d, outcome %q, cause %q", name, rel.End, rel.Step, r.Phase, r.Step+1, r.Outcome, r.Cause)
		}
	}
}

// kept reports whether a rollout ended as the script has it.
func kept(rel chaos.Release, r steps.Rollout) bool {
	back := r.Phase == steps.Ended && r.Outcome == steps.Restored
	at := rel.Step == 0 || r.Step == rel.Step-1
	switch rel.End {
	case chaos.Promoted:
		return r.Phase == steps.Ended && r.Outcome == steps.Promoted
	case chaos.Failed:
		return back && at && r.Cause == steps.ByRules
	case chaos.Aborted:
		return back && at && r.Cause == steps.ByPerson
	case chaos.Superseded:
		return back && at && r.Cause == steps.BySuperseded
	case chaos.Duplicate:
	}
	return true
}
